"""Sentences that other parts put together in English: how the panel says them, and their German.

A sentence is known by the text round its {placeholders}; those called names and device stand for words, which are translated too.
"""

# What the command line says in its own words -> what the panel says.
PANEL_WORDS = {
    "Choose an SMPL, SMPL-H or SMPL-X model file (.pkl or .npz), or `open` for the body that ships with the add-on.": "Choose an SMPL, "
    "SMPL-H or SMPL-X file (.pkl or .npz) in the section Body, or clear it there for the body that comes with MeshRec.",
    "Choose skel_male.pkl or skel_female.pkl, version 1.1.1, as SKEL's official site delivers them, or `open`.": "Choose skel_male.pkl or "
    "skel_female.pkl, version 1.1.1, as SKEL's official site delivers them, or clear SKEL Body for the one that comes with MeshRec.",
    "Run `python3 build.py setup` in a checkout, or install the add-on again from its zip.": "Install the add-on again from its zip.",
    "Run `python3 build.py setup` in a checkout, or set the backend up again.": "Click Repair Backend.",
    "Choose the Python of the backend's environment.": "Clear Python in the preferences, or click Repair there.",
    "Choose the Python of the backend's environment, or run `python3 build.py setup` again.": "Clear Python in the preferences, or click "
    "Repair there.",
    "Click Install Backend in the add-on's preferences, or run `meshrec setup`, or `python3 build.py setup` in a checkout.": "Click "
    "Install Backend.",
    "Run `meshrec doctor`, which says what is missing.": "Click Check Installation in the preferences: it says what is missing.",
    "Choose the folder that `build.py package --offline` has made.": "Choose the folder of the offline bundle, the one with wheels in it.",
    "Choose a .npz that `meshrec reconstruct` has written.": "Choose an .npz that MeshRec has exported.",
    "Choose an .npz with SMPL's `poses` and `trans`, such as AMASS holds.": "Choose an .npz with SMPL's poses and trans, such as AMASS "
    "holds.",
    "Use `meshrec convert` to turn a motion into another format.": "Bring it in with File > Import > MeshRec Motion.",
    "Convert or retarget it as it is.": "Bring it in with File > Import > MeshRec Motion.",
    "Close other programs, choose a shorter range of frames, or choose the device cpu.": "Close other programs, choose Part of the Clip, "
    "or set Device to Processor.",
    "Close other programs, choose a shorter range of frames, or use smaller footage.": "Close other programs, choose Part of the Clip, or "
    "use smaller footage.",
    "Choose the device auto or cpu.": "Set Device to Automatic or Processor.",
    "Run it again, with the device cpu if it happens twice, and report it with the details.": "Click Retry; if it happens again, set "
    "Device to Processor, and report it with Copy Details.",
    "Run it again, and report it with the details if it happens twice.": "Click Retry; if it happens again, report it with Copy Details.",
    "Run it again.": "Click Retry.",
    "This is a fault of ours: please report it with the details.": "This is a fault of ours: please report it with Copy Details.",
    "Choose a person from 1 to {last}, or all.": "Choose a person from 1 to {last}, or Everybody.",
    "Choose footage in which somebody is seen from head to hips at least, or a range of frames in which they are.": "Choose footage in "
    "which somebody is seen from head to hips at least, or the Part of the Clip in which they are.",
    "{name} has {frames} frames, and the range begins at frame {first}.": "{name} has {frames} frames, and Part of the Clip begins after "
    "them.",
    "Choose frames below {frames}.": "Choose an earlier In under Part of the Clip.",
    "The range of frames {first}:{end} is empty.": "Part of the Clip holds no frame.",
    "Give a range such as 0:100; the end is not included.": "Choose an Out that is not before In.",
    "Choose the skeleton SKEL, too.": "Set Skeleton to SKEL, too.",
    "The refiner {name} betters SKEL's angles, and the skeleton is SMPL's.": "The quality {name} betters SKEL's angles, and the skeleton "
    "is SMPL's.",
    "Choose a method that lifts 2D keypoints to 3D, or give the footage itself.": "Set Method to Automatic, or choose the footage itself.",
    "Install rtmlib and onnxruntime into the backend's environment, or choose the detector mediapipe.": "Install rtmlib and onnxruntime "
    "into the backend's environment, or set Detector to MediaPipe.",
}  # fmt: skip

# In the panel's words where there are such, else as they come.
GERMAN_SENTENCES = {
    # Remedies in the panel's words
    "Choose an SMPL, SMPL-H or SMPL-X file (.pkl or .npz) in the section Body, or clear it there for the body that comes with MeshRec.":
    "Im Abschnitt Körper eine Datei von SMPL, SMPL-H oder SMPL-X (.pkl oder .npz) wählen, oder das Feld leeren: dann gilt der Körper, der "
    "mit MeshRec kommt.",
    "Choose skel_male.pkl or skel_female.pkl, version 1.1.1, as SKEL's official site delivers them, or clear SKEL Body for the one that "
    "comes with MeshRec.": "skel_male.pkl oder skel_female.pkl wählen, Version 1.1.1, wie die Seite von SKEL sie liefert, oder "
    "SKEL-Körper leeren: dann gilt der, der mit MeshRec kommt.",
    "Install the add-on again from its zip.": "Das Add-on noch einmal aus seiner Zip-Datei installieren.",
    "Click Repair Backend.": "Auf Backend reparieren klicken.",
    "Clear Python in the preferences, or click Repair there.": "In den Einstellungen Python leeren, oder dort auf Reparieren klicken.",
    "Click Install Backend.": "Auf Backend installieren klicken.",
    "Click Check Installation in the preferences: it says what is missing.": "In den Einstellungen auf Installation prüfen klicken: Das "
    "sagt, was fehlt.",
    "Choose the folder of the offline bundle, the one with wheels in it.": "Den Ordner des Offline-Pakets wählen: den, in dem wheels "
    "liegt.",
    "Choose an .npz that MeshRec has exported.": "Eine .npz wählen, die MeshRec exportiert hat.",
    "Choose an .npz with SMPL's poses and trans, such as AMASS holds.": "Eine .npz mit poses und trans von SMPL wählen, wie AMASS sie "
    "hat.",
    "Bring it in with File > Import > MeshRec Motion.": "Mit Datei > Importieren > MeshRec-Bewegung hereinholen.",
    "Close other programs, choose Part of the Clip, or set Device to Processor.": "Andere Programme schließen, einen Teil des Clips "
    "wählen oder Gerät auf Prozessor setzen.",
    "Close other programs, choose Part of the Clip, or use smaller footage.": "Andere Programme schließen, einen Teil des Clips wählen "
    "oder eine kleinere Aufnahme nehmen.",
    "Set Device to Automatic or Processor.": "Gerät auf Automatisch oder Prozessor setzen.",
    "Click Retry; if it happens again, set Device to Processor, and report it with Copy Details.": "Auf Noch einmal klicken; passiert es "
    "wieder, Gerät auf Prozessor setzen und es mit Einzelheiten kopieren melden.",
    "Click Retry; if it happens again, report it with Copy Details.": "Auf Noch einmal klicken; passiert es wieder, es mit Einzelheiten "
    "kopieren melden.",
    "Click Retry.": "Auf Noch einmal klicken.",
    "This is a fault of ours: please report it with Copy Details.": "Das ist unser Fehler: bitte mit Einzelheiten kopieren melden.",
    "Choose a person from 1 to {last}, or Everybody.": "Eine Person von 1 bis {last} wählen, oder Alle.",
    "Choose footage in which somebody is seen from head to hips at least, or the Part of the Clip in which they are.": "Eine Aufnahme "
    "wählen, in der jemand mindestens von Kopf bis Hüfte zu sehen ist, oder den Teil des Clips, in dem es so ist.",
    "{name} has {frames} frames, and Part of the Clip begins after them.": "{name} hat {frames} Bilder, und der Teil des Clips beginnt "
    "danach.",
    "Choose an earlier In under Part of the Clip.": "Unter Teil des Clips einen früheren Anfang wählen.",
    "Part of the Clip holds no frame.": "Der Teil des Clips enthält kein Bild.",
    "Choose an Out that is not before In.": "Ein Ende wählen, das nicht vor dem Anfang liegt.",
    "Set Skeleton to SKEL, too.": "Auch Skelett auf SKEL setzen.",
    "The quality {name} betters SKEL's angles, and the skeleton is SMPL's.": "Die Qualität {name} verbessert die Winkel von SKEL, und das "
    "Skelett ist das von SMPL.",
    "Set Method to Automatic, or choose the footage itself.": "Methode auf Automatisch setzen oder die Aufnahme selbst wählen.",
    "Install rtmlib and onnxruntime into the backend's environment, or set Detector to MediaPipe.": "rtmlib und onnxruntime in die "
    "Umgebung des Backends installieren, oder Detektor auf MediaPipe setzen.",
    # Footage
    "Check the path.": "Den Pfad prüfen.",
    "There is no file {path}.": "Es gibt keine Datei {path}.",
    "{name} is empty (0 bytes).": "{name} ist leer (0 Byte).",
    "{name} may not be read.": "{name} darf nicht gelesen werden.",
    "{name} is not a video or image that can be read.": "{name} ist kein Video oder Bild, das gelesen werden kann.",
    "No frame of {name} could be decoded ({codec}).": "Kein Bild von {name} ließ sich entschlüsseln ({codec}).",
    "The codec of {name} is not known.": "Der Codec von {name} ist nicht bekannt.",
    "Copy it again from the camera or the disk it came from.": "Noch einmal von der Kamera oder der Festplatte kopieren, von der sie kam.",
    "Copy it again from the camera, or have a video repair tool rebuild the index.": "Noch einmal von der Kamera kopieren, oder den Index "
    "mit einem Reparaturprogramm für Videos neu bauen.",
    "Give yourself permission to read it, or copy it elsewhere.": "Sich selbst das Lesen erlauben, oder sie anderswohin kopieren.",
    "The folder {name} holds no images.": "Der Ordner {name} enthält keine Bilder.",
    "Choose a folder of numbered .png or .jpg images, or the video itself.": "Einen Ordner nummerierter .png- oder .jpg-Bilder wählen, "
    "oder das Video selbst.",
    "None of the {count} images in {name} can be read.": "Keines der {count} Bilder in {name} kann gelesen werden.",
    "Export the images again.": "Die Bilder noch einmal exportieren.",
    "{name} was read, but no person was found in it.": "{name} wurde gelesen, aber keine Person gefunden.",
    "{name} was read, but no person was found in its {frames} frames.": "{name} wurde gelesen, aber in den {frames} Bildern wurde keine "
    "Person gefunden.",
    "There is no person {number}: only one person was found.": "Es gibt keine Person {number}: Nur eine wurde gefunden.",
    "There is no person {number}: {count} people were found.": "Es gibt keine Person {number}: {count} wurden gefunden.",
    "{name} ends early: {count} of {claimed} frames could be read.": "{name} endet früh: {count} von {claimed} Bildern konnten gelesen "
    "werden.",
    "{name} is damaged: {count} of its frames are garbled or lost.": "{name} ist beschädigt: {count} der Bilder sind verstümmelt oder "
    "verloren.",
    "{name} ends early: {count} of {claimed} seconds could be read.": "{name} endet früh: {count} von {claimed} Sekunden konnten gelesen "
    "werden.",
    "Images that cannot be read: {count}, the first being {name}.": "Bilder, die nicht gelesen werden können: {count}, das erste ist "
    "{name}.",
    "Images of another size, which were passed over: {count}, the first being {name}.": "Bilder von anderer Größe, die übergangen wurden: "
    "{count}, das erste ist {name}.",
    "Images missing from {folder}: {count}, the first after {name}. The others count as consecutive.": "In {folder} fehlende Bilder: "
    "{count}, das erste nach {name}. Die anderen gelten als aufeinander folgend.",
    "{name} is a motion, not 2D keypoints.": "{name} ist eine Bewegung, keine 2D-Punkte.",
    "{name} is a motion without SKEL's angles, not footage.": "{name} ist eine Bewegung ohne die Winkel von SKEL, keine Aufnahme.",
    "This method reads the 3D landmarks of the MediaPipe detector, which 2D keypoints do not carry.": "Diese Methode liest die 3D-Punkte "
    "des Detektors MediaPipe, die 2D-Punkte nicht enthalten.",
    # Bodies and models
    "There is no body file {path}.": "Es gibt keine Körperdatei {path}.",
    "There is no SKEL file {path}.": "Es gibt keine SKEL-Datei {path}.",
    "The model file {name} is missing.": "Die Modelldatei {name} fehlt.",
    "The model file {name} is damaged.": "Die Modelldatei {name} ist beschädigt.",
    "{name} is not an SMPL-family body file.": "{name} ist keine Körperdatei der SMPL-Familie.",
    "{name} is neither .pkl nor .npz, the formats body files come in.": "{name} ist weder .pkl noch .npz, die Formate von Körperdateien.",
    "{name} is not a whole SMPL-family body file: it lacks {what}.": "{name} ist keine ganze Körperdatei der SMPL-Familie: Es fehlt "
    "{what}.",
    "Use the open body with the open SKEL body, and your own SMPL file with your own SKEL file.": "Den offenen Körper mit dem offenen "
    "SKEL-Körper nehmen, und die eigene SMPL-Datei mit der eigenen SKEL-Datei.",
    "PyTorch finds no {device} that works on this computer.": "PyTorch findet auf diesem Computer nichts, was geht: {device}.",
    "The graphics card's memory was too small; the CPU did its work.": "Der Speicher der Grafikkarte war zu klein; der Prozessor hat die "
    "Arbeit gemacht.",
    "The memory was not enough for this footage.": "Der Speicher reichte für diese Aufnahme nicht.",
    "MediaPipe cannot start on this computer: {reason}.": "MediaPipe kann auf diesem Computer nicht starten: {reason}.",
    "Install the system library it names (on Debian and Ubuntu: apt install libgles2 libegl1), and try again.": "Die genannte Bibliothek "
    "des Systems installieren (auf Debian und Ubuntu: apt install libgles2 libegl1) und noch einmal versuchen.",
    # The backend's end
    "The backend was ended by the system {when}, most often for lack of memory.": "Das Backend wurde vom System beendet, meist aus Mangel "
    "an Speicher.",
    "The backend was ended from outside {when}.": "Das Backend wurde von außen beendet.",
    "The backend crashed {when} ({signal}).": "Das Backend ist abgestürzt ({signal}).",
    "The backend did not start (exit code {code}).": "Das Backend ist nicht gestartet (Exit-Code {code}).",
    "The backend ended {when} without an answer (exit code {code}).": "Das Backend endete ohne eine Antwort (Exit-Code {code}).",
    "The backend could not be started with {path}: {reason}.": "Das Backend konnte mit {path} nicht gestartet werden: {reason}.",
    "The backend's environment is not complete: {reason}.": "Die Umgebung des Backends ist nicht vollständig: {reason}.",
    "The reconstruction failed ({reason}).": "Die Rekonstruktion ist fehlgeschlagen ({reason}).",
    "Making the scene failed: {reason}.": "Das Machen der Szene ist fehlgeschlagen: {reason}.",
    "Report this with Copy Details.": "Dies mit Einzelheiten kopieren melden.",
    "A reconstruction is running already.": "Eine Rekonstruktion läuft schon.",
    "Wait for it, or cancel it first.": "Warten, oder sie zuerst abbrechen.",
    # Installing
    "The environment that the backend runs in was not found.": "Die Umgebung, in der das Backend läuft, wurde nicht gefunden.",
    "The backend's packages have to be downloaded, and Blender's online access is off.": "Die Pakete des Backends müssen heruntergeladen "
    "werden, und der Online-Zugriff von Blender ist aus.",
    "Click Allow Online Access, or choose an Offline Bundle.": "Auf Online-Zugriff erlauben klicken, oder ein Offline-Paket wählen.",
    "Start Blender without --offline-mode, or choose an Offline Bundle.": "Blender ohne --offline-mode starten, oder ein Offline-Paket "
    "wählen.",
    "The backend is being installed already.": "Das Backend wird schon installiert.",
    "Another Blender is installing the backend.": "Ein anderes Blender installiert das Backend.",
    "Wait for it to finish, then try again.": "Warten, bis es fertig ist, und dann noch einmal versuchen.",
    "Looking at the computer": "Der Computer wird angesehen",
    "Making an environment": "Eine Umgebung wird gemacht",
    "Removing what was there": "Was da war, wird entfernt",
    "Trying it out": "Wird ausprobiert",
    "Loading {package}": "{package} wird geladen",
    "Unpacking {package}": "{package} wird ausgepackt",
    "Loading {package}: {done} of {total} MB": "{package} wird geladen: {done} von {total} MB",
    "Unpacking {package}: {done} of {total} MB": "{package} wird ausgepackt: {done} von {total} MB",
    "Unpacking {package} and {count} more: {done} of {total} MB": "{package} und {count} weitere werden ausgepackt: {done} von {total} MB",
    "Trying it out: {done} of {total} MB": "Wird ausprobiert: {done} von {total} MB",
    "Making an environment: {done} of {total} MB": "Eine Umgebung wird gemacht: {done} von {total} MB",
    "The download broke off: the package index cannot be reached.": "Das Herunterladen brach ab: Der Paketindex ist nicht zu erreichen.",
    "Check the internet connection, then click Install Backend again: it goes on where it stopped.": "Die Verbindung zum Internet prüfen, "
    "dann wieder auf Backend installieren klicken: Es geht weiter, wo es stehen blieb.",
    "The package index could not be reached safely: its certificate was not accepted.": "Der Paketindex war nicht sicher zu erreichen: "
    "Sein Zertifikat wurde nicht angenommen.",
    "Set the computer's clock, or have your network's administrator name the certificate in pip's configuration.": "Die Uhr des Computers "
    "stellen, oder das Zertifikat von der Verwaltung des Netzes in die Konfiguration von pip eintragen lassen.",
    "The network's proxy refused the download.": "Der Proxy des Netzes hat das Herunterladen verweigert.",
    "Set HTTPS_PROXY, or use an offline bundle.": "HTTPS_PROXY setzen, oder ein Offline-Paket benutzen.",
    "A downloaded file is not the one the add-on's list names, so it was not installed.": "Eine heruntergeladene Datei ist nicht die, die "
    "die Liste des Add-ons nennt; sie wurde nicht installiert.",
    "Install again; if it happens twice, something on the network changes files, or the offline bundle is damaged.": "Noch einmal "
    "installieren; passiert es wieder, verändert etwas im Netz die Dateien, oder das Offline-Paket ist beschädigt.",
    "The disk is full: the backend was not installed.": "Die Festplatte ist voll: Das Backend wurde nicht installiert.",
    "Free some space, then click Install Backend again.": "Platz schaffen, dann wieder auf Backend installieren klicken.",
    "The backend needs {needed} GB, and the disk of {path} has {free} GB left.": "Das Backend braucht {needed} GB, und die Festplatte von "
    "{path} hat noch {free} GB.",
    "Free some space, or choose a Backend Folder on another disk in the preferences.": "Platz schaffen, oder in den Einstellungen einen "
    "Ordner des Backends auf einer anderen Festplatte wählen.",
    "The backend's folder cannot be written.": "In den Ordner des Backends kann nicht geschrieben werden.",
    "The folder {path} cannot be written.": "In den Ordner {path} kann nicht geschrieben werden.",
    "Choose a folder you may write to as Backend Folder in the preferences.": "In den Einstellungen als Ordner des Backends einen wählen, "
    "in den man schreiben darf.",
    "Choose a Backend Folder you may write to in the preferences.": "In den Einstellungen einen Ordner des Backends wählen, in den man "
    "schreiben darf.",
    "The folder {path} holds no packages.": "Der Ordner {path} enthält keine Pakete.",
    "There is no file of {package} for {where}.": "Von {package} gibt es keine Datei für {where}.",
    "Choose another Python (3.11 is best), or an offline bundle that was made for this system.": "Ein anderes Python wählen (am besten "
    "3.11), oder ein Offline-Paket, das für dieses System gemacht wurde.",
    "Installing the backend's packages failed (exit code {code}).": "Die Pakete des Backends ließen sich nicht installieren (Exit-Code "
    "{code}).",
    "Click Install Backend again, and look at its log.": "Wieder auf Backend installieren klicken und das Protokoll ansehen.",
    "No Python {versions} that can make an environment was found on this computer.": "Auf diesem Computer wurde kein Python {versions} "
    "gefunden, das eine Umgebung machen kann.",
    "The Python {path} does not fit: {reason}.": "Das Python {path} passt nicht: {reason}.",
    "Install Python 3.11 from python.org or your system's packages, or choose one in the add-on's preferences.": "Python 3.11 von "
    "python.org oder aus den Paketen des Systems installieren, oder eines in den Einstellungen des Add-ons wählen.",
    "PyTorch does not find the {device}: the processor will be used. Update its driver.": "PyTorch findet nicht: {device}. Der Prozessor "
    "wird benutzt. Bitte den Treiber aktualisieren.",
    "NVIDIA's driver is installed but finds no graphics card.": "Der Treiber von NVIDIA ist installiert, findet aber keine Grafikkarte.",
    "There is no log: nothing was installed yet.": "Es gibt kein Protokoll: Noch wurde nichts installiert.",
    "Click Install Backend first.": "Zuerst auf Backend installieren klicken.",
    # How good a result is
    "How well the result lies on the picture was not measured.": "Wie gut das Ergebnis auf dem Bild liegt, wurde nicht gemessen.",
    "Match with the picture: joints are {share} % of the person's height away (good).": "Übereinstimmung mit dem Bild: Gelenke liegen "
    "{share} % der Körpergröße daneben (gut).",
    "Match with the picture: joints are {share} % of the person's height away (fair).": "Übereinstimmung mit dem Bild: Gelenke liegen "
    "{share} % der Körpergröße daneben (mittel).",
    "Match with the picture: joints are {share} % of the person's height away (poor, compare it with the footage).": "Übereinstimmung mit "
    "dem Bild: Gelenke liegen {share} % der Körpergröße daneben (schlecht, bitte mit der Aufnahme vergleichen).",
    "Feet: none was found to touch the floor, or Lock Feet is off.": "Füße: Keiner berührt den Boden, oder Füße festhalten ist aus.",
    "Feet slide {after} cm/s where they touch the floor; {before} before they were locked.": "Füße rutschen {after} cm/s, wo sie den "
    "Boden berühren; {before}, bevor sie festgehalten wurden.",
    "The person is in all {frames} frames.": "Die Person ist in allen {frames} Bildern.",
    "The person is in the picture.": "Die Person ist im Bild.",
    "The person is missing from {missing} of {frames} frames: the motion is filled in there.": "Die Person fehlt in {missing} von "
    "{frames} Bildern: Dort ist die Bewegung ergänzt.",
    "Least sure of: {names}.": "Am wenigsten sicher: {names}.",
    "Least sure of: {names} and {count} more.": "Am wenigsten sicher: {names} und {count} weitere.",
    "Knees and elbows beyond their limits: {what}": "Knie und Ellbogen jenseits ihrer Grenzen: {what}",
    "In {count} of {frames} frames the motion goes beyond what SKEL's joints can do, and was held at their limits.": "In {count} von "
    "{frames} Bildern geht die Bewegung über das hinaus, was die Gelenke von SKEL können, und wurde an deren Grenzen gehalten.",
    "In {count} frames SKEL's skin is more than {distance} cm away from SMPL's somewhere.": "In {count} Bildern ist die Haut von SKEL "
    "irgendwo mehr als {distance} cm von der von SMPL entfernt.",
    "The camera has no footage behind it: the motion names none.": "Hinter der Kamera liegt keine Aufnahme: Die Bewegung nennt keine.",
    "The camera has no footage behind it: {path} is not there.": "Hinter der Kamera liegt keine Aufnahme: {path} ist nicht da.",
    "The camera has no footage behind it: Blender cannot read {path}.": "Hinter der Kamera liegt keine Aufnahme: Blender kann {path} "
    "nicht lesen.",
    "The footage behind the camera plays at {rate} frames a second and the result at {fps}: they part over time.": "Die Aufnahme hinter "
    "der Kamera läuft mit {rate} Bildern je Sekunde und das Ergebnis mit {fps}: Mit der Zeit laufen sie auseinander.",
    # Retargeting and files
    "No foot touches the floor.": "Kein Fuß berührt den Boden.",
    "Feet slide {after} cm/s where they touch; {before} without contacts kept.": "Füße rutschen {after} cm/s, wo sie den Boden berühren; "
    "{before}, ohne Kontakte zu bewahren.",
    'The action "{name}" is kept with a fake user.': "Die Aktion „{name}“ bleibt mit einem Fake User erhalten.",
    '"{name}" has no bones.': "„{name}“ hat keine Knochen.",
    "Choose an armature that has bones.": "Eine Armatur wählen, die Knochen hat.",
    '"{name}" is in Edit Mode.': "„{name}“ ist im Bearbeitungsmodus.",
    "Leave Edit Mode first.": "Zuerst den Bearbeitungsmodus verlassen.",
    'An NLA strip of "{name}" is being tweaked.': "Ein NLA-Streifen von „{name}“ wird gerade bearbeitet.",
    "Leave the NLA editor's tweak mode (Tab) first.": "Zuerst den Bearbeitungsmodus des NLA-Editors verlassen (Tab).",
    '"{name}" does not look like a person: {what} cannot be found.': "„{name}“ sieht nicht wie ein Mensch aus: {what} nicht gefunden.",
    "Nothing to export is selected.": "Nichts, was exportiert werden kann, ist ausgewählt.",
    "Select a person that MeshRec has made, or your character.": "Eine Person auswählen, die MeshRec gemacht hat, oder die eigene Figur.",
    '"{name}" is no person an .npz can hold.': "„{name}“ ist keine Person, die eine .npz enthalten kann.",
    "This Blender was built without USD.": "Dieses Blender wurde ohne USD gebaut.",
    "Choose another format, or a Blender from blender.org.": "Ein anderes Format wählen, oder ein Blender von blender.org.",
    "{name} could not be written: {reason}.": "{name} konnte nicht geschrieben werden: {reason}.",
    "Free some space, or choose an output folder on another disk.": "Platz schaffen, oder einen Ordner auf einer anderen Festplatte "
    "wählen.",
    "Choose an output folder you may write to.": "Einen Ordner wählen, in den man schreiben darf.",
    "{name} cannot be read as a motion file.": "{name} kann nicht als Bewegung gelesen werden.",
    # Calibrated people
    "{suffix} keeps the calibrated joints of {name} by moving bones; it refuses their scale, which it would hand on.": "{suffix} behält "
    "die kalibrierten Gelenke von {name}, indem Knochen verschoben werden; ihre Skalierung, die es weitergäbe, bleibt weg.",
    ".bvh keeps the calibrated joints of {name} as positions of every joint, which not every program reads.": ".bvh behält die "
    "kalibrierten Gelenke von {name} als Position jedes Gelenks, was nicht jedes Programm liest.",
    "{suffix} has the skinned surface of {name}: the exact one is kept by {keepers} alone.": "{suffix} hat von {name} die Haut: Nur "
    "{keepers} behält die genaue Oberfläche.",
    "{name} goes without what was calibrated: SKEL's bones do not stretch.": "{name} bleibt ohne das, was kalibriert wurde: Die Knochen "
    "von SKEL strecken sich nicht.",
    "{path} is no point cache.": "{path} ist kein Punkte-Cache.",
    "{path} is no whole point cache.": "{path} ist kein ganzer Punkte-Cache.",
    "The point cache {path} cannot be read: {reason}.": "Der Punkte-Cache {path} kann nicht gelesen werden: {reason}.",
    "Reconstruct with the exact surface again.": "Mit der genauen Oberfläche noch einmal rekonstruieren.",
    "Choose the body the surface was made with, or reconstruct with the exact surface again.": "Den Körper wählen, mit dem die Oberfläche "
    "gemacht wurde, oder mit der genauen Oberfläche noch einmal rekonstruieren.",
}  # fmt: skip

"""The interface in German: names, tooltips and labels by their English text. What other parts say is in sentences.py."""

from .german_body import PARTS_OF_A_BODY

GERMAN = {
    # The main panel
    "Footage": "Aufnahme",
    "A video, an image, a folder of numbered images, or a 2D keypoints file": "Ein Video, ein Bild, ein Ordner nummerierter Bilder oder "
    "eine Datei mit 2D-Punkten",
    "Open Footage": "Aufnahme öffnen",
    "Choose a video, an image, a folder of numbered images, or a 2D keypoints file": "Ein Video, ein Bild, einen Ordner nummerierter "
    "Bilder oder eine Datei mit 2D-Punkten wählen",
    "All Images of the Folder": "Alle Bilder des Ordners",
    "Take the numbered images of the folder as one clip": "Die nummerierten Bilder des Ordners als einen Clip nehmen",
    "Blender cannot read this footage": "Blender kann diese Aufnahme nicht lesen",
    "2D keypoints": "2D-Punkte",
    "Image": "Bild",
    "Image, {size}": "Bild, {size}",
    "{rate} fps": "{rate} Bilder/s",
    "{frames} frames": "{frames} Bilder",
    "Whom to reconstruct": "Wer rekonstruiert wird",
    "Largest": "Die größte",
    "The person who is largest in the picture, by the median of the whole clip": "Die im Bild größte Person, nach dem Median über den "
    "ganzen Clip",
    "Everybody": "Alle",
    "Everybody the detector follows, in one shared world": "Alle, denen der Detektor folgt, in einer gemeinsamen Welt",
    "One": "Eine",
    "One person by number; 1 is the largest": "Eine Person nach ihrer Nummer; 1 ist die größte",
    "Number": "Nummer",
    "Counted from 1, the largest first": "Gezählt ab 1, die größte zuerst",
    "0: everybody": "0: alle",
    "Reconstruct": "Rekonstruieren",
    "Find the people in the footage and bring them into the scene as animated characters": "Die Personen der Aufnahme finden und als "
    "bewegte Figuren in die Szene bringen",
    "Choose footage first": "Zuerst eine Aufnahme wählen",
    "A reconstruction is running": "Eine Rekonstruktion läuft",
    "The backend is being installed": "Das Backend wird installiert",
    "MeshRec is at work. Esc: cancel": "MeshRec arbeitet. Esc: abbrechen",
    "Cancel": "Abbrechen",
    "Cancel (Esc)": "Abbrechen (Esc)",
    "Stop the reconstruction; the scene stays as it is": "Die Rekonstruktion beenden; die Szene bleibt, wie sie ist",
    "Starting": "Beginn",
    "Just begun": "Gerade begonnen",
    "For {time}": "Seit {time}",
    "{rate} {unit} a second": "{rate} {unit} je Sekunde",
    "{rate}, {time} left": "{rate}, noch {time}",
    "{stage}: {done} of {total} {unit}": "{stage}: {done} von {total} {unit}",
    "1 person, {frames} frames.": "1 Person, {frames} Bilder.",
    "{people} people, {frames} frames.": "{people} Personen, {frames} Bilder.",
    # What the backend is at
    "Load models": "Modelle laden",
    "Finding people": "Personen suchen",
    "Estimate": "Schätzen",
    "Place": "Einordnen",
    "Fit body": "Körper anpassen",
    "Stand up": "Aufrichten",
    "Refine shape": "Form verfeinern",
    "Calibrate": "Kalibrieren",
    "Contacts": "Kontakte",
    "Convert to SKEL": "In SKEL umrechnen",
    "Convert to SMPL": "In SMPL umrechnen",
    "Skelify": "SKELify",
    "frames": "Bilder",
    # People
    "People Found": "Gefundene Personen",
    "What this person's objects are called in the scene": "Wie die Objekte dieser Person in der Szene heißen",
    "Choose Person": "Person wählen",
    "Reconstruct this person; what was seen in the footage is kept, so that it is quick": "Diese Person rekonstruieren; was in der "
    "Aufnahme gesehen wurde, ist aufbewahrt, daher geht es schnell",
    # Which part of the clip
    "Part of the Clip": "Teil des Clips",
    "Reconstruct only some of the footage's frames": "Nur einige Bilder der Aufnahme rekonstruieren",
    "In": "Anfang",
    "First frame of the footage to use, counted from 1": "Erstes Bild der Aufnahme, das benutzt wird, gezählt ab 1",
    "Out": "Ende",
    "Last frame of the footage to use": "Letztes Bild der Aufnahme, das benutzt wird",
    "End": "Grenze",
    "The first frame": "Das erste Bild",
    "The last frame": "Das letzte Bild",
    "Set In or Out": "Anfang oder Ende setzen",
    "Take the current frame of the timeline as the first or last of the footage; the footage's first frame lies on frame 1": "Das "
    "aktuelle Bild der Zeitleiste als erstes oder letztes der Aufnahme nehmen; deren erstes Bild liegt auf Bild 1",
    "Let the timeline's current frame be the first of the footage to use": "Das aktuelle Bild der Zeitleiste ist das erste, das benutzt "
    "wird",
    "Let the timeline's current frame be the last of the footage to use": "Das aktuelle Bild der Zeitleiste ist das letzte, das benutzt "
    "wird",
    # Method
    "Method": "Methode",
    "Detector": "Detektor",
    "What finds people in the picture": "Was Personen im Bild findet",
    "What turns 2D into 3D": "Was aus 2D 3D macht",
    "Quality": "Qualität",
    "How much work is put into the result": "Wie viel Arbeit in das Ergebnis gesteckt wird",
    "Device": "Gerät",
    "Stretch Bones": "Knochen strecken",
    "Let bones grow and shrink until every joint is where PC-HMR saw it. Off, they keep their lengths and come near it": "Knochen wachsen "
    "und schrumpfen lassen, bis jedes Gelenk da ist, wo PC-HMR es gesehen hat. Sonst behalten sie ihre Länge und kommen ihm nahe",
    "Surface": "Oberfläche",
    "What the mesh shows of a calibrated person": "Was das Netz von einer kalibrierten Person zeigt",
    "Skinned": "Haut",
    "The skin that the bones move, to be edited like any character's": "Die Haut, die von den Knochen bewegt wird, zu bearbeiten wie bei "
    "jeder Figur",
    "Exact": "Genau",
    "The calibrated surface itself, from a .pc2 file beside the .blend; the eye of its modifier brings the skin back": "Die kalibrierte "
    "Oberfläche selbst, aus einer .pc2-Datei neben der .blend; das Auge ihres Modifikators bringt die Haut zurück",
    "What computes": "Was rechnet",
    "Automatic": "Automatisch",
    "By the input": "Je nach Eingabe",
    "The one that suits the detector": "Die zum Detektor passende",
    "Finds and follows several people; needs nothing but what is installed": "Findet und verfolgt mehrere Personen; braucht nichts als "
    "das Installierte",
    "2D keypoints file": "Datei mit 2D-Punkten",
    "Reads keypoints from an .npz or a folder of OpenPose JSON instead of looking at pixels": "Liest Punkte aus einer .npz oder einem "
    "Ordner mit OpenPose-JSON, statt Pixel anzusehen",
    "RTMPose (your ONNX files)": "RTMPose (eigene ONNX-Dateien)",
    "Runs RTMPose or ViTPose ONNX files that you bring": "Benutzt ONNX-Dateien von RTMPose oder ViTPose, die man selbst mitbringt",
    "The detector's own 3D joints, anchored to its 2D": "Die 3D-Gelenke des Detektors selbst, an seinem 2D verankert",
    "Skeleton2Mesh lifter": "Skeleton2Mesh-Lifter",
    "3D joints from 2D keypoints, judged over time; averaged with the detector's own where it has them": "3D-Gelenke aus 2D-Punkten, über "
    "die Zeit beurteilt; gemittelt mit denen des Detektors, wo er welche hat",
    "A mesh generated from each frame, calibrated onto the lifted joints: bones may stretch to meet them exactly": "Ein Mesh aus jedem "
    "Bild, auf die geschätzten Gelenke gebracht: Knochen dürfen sich strecken, um sie genau zu treffen",
    "PC-HMR, serial": "PC-HMR, nacheinander",
    "The same, the joints lifted from the generated mesh itself: less exact, for comparison": "Dasselbe, die Gelenke aus dem erzeugten "
    "Mesh selbst: weniger genau, zum Vergleich",
    "Quick": "Schnell",
    "What the method gives, without a second look at the picture": "Was die Methode liefert, ohne zweiten Blick auf das Bild",
    "Limbs turned as motion capture knows it, and the shape that silhouettes show": "Glieder gedreht, wie es Motion-Capture kennt, und "
    "die Form, die Umrisse zeigen",
    "Fits SKEL's angles to the 2D keypoints, frame by frame only where they come nearer; needs the skeleton SKEL": "Passt die Winkel von "
    "SKEL den 2D-Punkten an, Bild für Bild nur, wo sie näher kommen; braucht das Skelett SKEL",
    "The graphics card where there is one that works": "Die Grafikkarte, wo es eine gibt, die geht",
    "Processor": "Prozessor",
    "The processor, always": "Immer der Prozessor",
    "An NVIDIA graphics card": "Eine NVIDIA-Grafikkarte",
    "Apple's graphics": "Die Grafik von Apple",
    # Body
    "Body": "Körper",
    "Skeleton": "Skelett",
    "Which bones the armature has": "Welche Knochen die Armatur hat",
    "24 joints, as research and most other software have them": "24 Gelenke, wie sie Forschung und die meisten Programme haben",
    "The bones of the human body with 46 anatomical angles and their limits, beside SMPL's motion": "Die Knochen des Menschen mit 46 "
    "anatomischen Winkeln und deren Grenzen, neben der Bewegung von SMPL",
    "Your own SMPL, SMPL-H or SMPL-X file; empty for the body that comes with MeshRec": "Eine eigene Datei von SMPL, SMPL-H oder SMPL-X; "
    "leer für den Körper, der mit MeshRec kommt",
    "SKEL Body": "SKEL-Körper",
    "Your own SKEL file; empty for the one that comes with MeshRec": "Eine eigene SKEL-Datei; leer für die, die mit MeshRec kommt",
    "Open body": "Offener Körper",
    "Open SKEL body": "Offener SKEL-Körper",
    "Choose Model File": "Modelldatei wählen",
    "Choose your own model file": "Eine eigene Modelldatei wählen",
    "Model": "Modell",
    "An SMPL, SMPL-H or SMPL-X file": "Eine Datei von SMPL, SMPL-H oder SMPL-X",
    "A SKEL file": "Eine SKEL-Datei",
    "Use the Open Model": "Das offene Modell nehmen",
    "Go without your own file: take the one that comes with MeshRec": "Ohne eigene Datei: die nehmen, die mit MeshRec kommt",
    # Clean-up and scene
    "Clean-Up": "Säubern",
    "Smoothing": "Glättung",
    "How much jitter is removed; 0 is off, 1 is usual": "Wie viel Zittern entfernt wird; 0 ist aus, 1 ist üblich",
    "Lock Feet": "Füße festhalten",
    "Find when heels and toes touch the floor and hold them still": "Finden, wann Fersen und Zehen den Boden berühren, und sie "
    "stillhalten",
    "Stand Upright": "Aufrecht stellen",
    "Turn the world so that Z is up and the floor is at zero": "Die Welt so drehen, dass Z oben und der Boden bei null ist",
    "Scene": "Szene",
    "Match Scene to Footage": "Szene der Aufnahme angleichen",
    "Give the scene the footage's frame rate, range and resolution, and its camera. Off, the motion keeps its real speed": "Der Szene "
    "Bildrate, Bereich, Auflösung und Kamera der Aufnahme geben. Ausgeschaltet behält die Bewegung ihr wirkliches Tempo",
    "Earlier Result": "Früheres Ergebnis",
    "What becomes of an earlier result of this footage": "Was aus einem früheren Ergebnis dieser Aufnahme wird",
    "Replace": "Ersetzen",
    "The earlier result of the same people in the same footage goes; Undo brings it back": "Das frühere Ergebnis derselben Personen in "
    "derselben Aufnahme verschwindet; Rückgängig bringt es wieder",
    "Keep": "Behalten",
    "The earlier result stays beside the new one": "Das frühere Ergebnis bleibt neben dem neuen",
    # Buttons of messages
    "Retry": "Noch einmal",
    "Dismiss": "Schließen",
    "Take the message away": "Die Meldung wegnehmen",
    "Copy Details": "Einzelheiten kopieren",
    "Copy what is known of the error to the clipboard, for a bug report": "Was über den Fehler bekannt ist, in die Zwischenablage legen, "
    "für eine Fehlermeldung",
    "Allow Online Access": "Online-Zugriff erlauben",
    "Let Blender use the internet: the same setting as Preferences > System > Network > Allow Online Access": "Blender das Internet "
    "benutzen lassen: dieselbe Einstellung wie Einstellungen > System > Netzwerk > Online-Zugriff erlauben",
    "Blender was started with --offline-mode or --online-mode": "Blender wurde mit --offline-mode oder --online-mode gestartet",
    "Open Preferences": "Einstellungen öffnen",
    "Show MeshRec's page in Blender's preferences": "Die Seite von MeshRec in den Einstellungen von Blender zeigen",
    "Choose Body File": "Körperdatei wählen",
    "Choose SKEL File": "SKEL-Datei wählen",
    "Use the Open Body": "Den offenen Körper nehmen",
    "Use the Open Skeleton": "Das offene Skelett nehmen",
    "Choose the Device Automatically": "Das Gerät automatisch wählen",
    "Use the SKEL Skeleton": "Das Skelett SKEL nehmen",
    "Repair Backend": "Backend reparieren",
    # The backend
    "One step is left: the backend, which does the reconstructing, has to be installed once.": "Ein Schritt fehlt noch: Das Backend, das "
    "die Rekonstruktion macht, muss einmal installiert werden.",
    "Its packages are downloaded, and Blender's online access is off.": "Seine Pakete werden heruntergeladen, und der Online-Zugriff von "
    "Blender ist aus.",
    "The backend's packages have to be downloaded, and Blender's online access is off. Nothing is sent.": "Die Pakete des Backends müssen "
    "heruntergeladen werden, und der Online-Zugriff von Blender ist aus. Gesendet wird nichts.",
    "Installing the backend": "Das Backend wird installiert",
    "Install Backend": "Backend installieren",
    "Make the environment the backend runs in, in this extension's own folder; goes on where it was stopped": "Die Umgebung machen, in "
    "der das Backend läuft, im eigenen Ordner dieser Erweiterung; macht weiter, wo es unterbrochen wurde",
    "Anew": "Von vorn",
    "Throw away what is there first": "Zuerst wegwerfen, was da ist",
    "Go On Installing": "Weiter installieren",
    "Update Backend": "Backend aktualisieren",
    "Install for: {device}": "Installieren für: {device}",
    "Install with Python {python}": "Mit Python {python} installieren",
    "Repair": "Reparieren",
    "Stop installing; Install Backend goes on from here": "Die Installation beenden; Backend installieren macht hier weiter",
    "Remove Backend": "Backend entfernen",
    "Remove the backend's environment from the disk; the add-on stays": "Die Umgebung des Backends von der Festplatte entfernen; das "
    "Add-on bleibt",
    "Check Installation": "Installation prüfen",
    "Look at everything a reconstruction needs and say what is missing": "Alles ansehen, was eine Rekonstruktion braucht, und sagen, was "
    "fehlt",
    "Looking": "Wird geprüft",
    "Looking at this computer.": "Dieser Computer wird angesehen.",
    "Copy Report": "Bericht kopieren",
    "Copy the report of Check Installation to the clipboard": "Den Bericht von Installation prüfen in die Zwischenablage legen",
    "Copy what is known of the failed installation to the clipboard, for a bug report": "Was über die fehlgeschlagene Installation "
    "bekannt ist, in die Zwischenablage legen, für eine Fehlermeldung",
    "Open Log": "Protokoll öffnen",
    "Open the installation's log file": "Die Protokolldatei der Installation öffnen",
    "The backend is half installed. Go On Installing takes it up where it stopped.": "Das Backend ist halb installiert. Weiter "
    "installieren macht weiter, wo es stehen blieb.",
    "The backend is not installed yet: MeshRec needs it to reconstruct.": "Das Backend ist noch nicht installiert: MeshRec braucht es zum "
    "Rekonstruieren.",
    "The backend runs in {path}.": "Das Backend läuft in {path}.",
    "The backend is installed: Python {python}, {device}, {packages} packages.": "Das Backend ist installiert: Python {python}, {device}, "
    "{packages} Pakete.",
    "It was made for an earlier version of MeshRec: update it.": "Es wurde für eine frühere Version von MeshRec gemacht: bitte "
    "aktualisieren.",
    "for the processor": "für den Prozessor",
    "for an NVIDIA graphics card": "für eine NVIDIA-Grafikkarte",
    "for Apple's graphics processor": "für den Grafikprozessor von Apple",
    "To be installed: {device}, Python {python} at {path}.": "Zu installieren: {device}, Python {python} in {path}.",
    "Packages are taken from the offline bundle.": "Die Pakete kommen aus dem Offline-Paket.",
    "Packages are downloaded.": "Die Pakete werden heruntergeladen.",
    "processor": "Prozessor",
    "NVIDIA graphics card": "NVIDIA-Grafikkarte",
    "Apple graphics processor": "Grafikprozessor von Apple",
    "Python 3.11, 3.12 or 3.13 to make the backend's environment with, or the Python of an environment that has all it needs; empty for "
    "the one MeshRec finds": "Python 3.11, 3.12 oder 3.13, womit die Umgebung des Backends gemacht wird, oder das Python einer Umgebung, "
    "die alles Nötige hat; leer für das, das MeshRec findet",
    "What the backend is installed to compute on": "Worauf das Backend rechnen soll",
    "What this computer has": "Was dieser Computer hat",
    "The processor: works everywhere, and needs the least disk": "Der Prozessor: geht überall und braucht am wenigsten Platz",
    "An NVIDIA graphics card, on Linux": "Eine NVIDIA-Grafikkarte, unter Linux",
    "The graphics processor of an Apple computer": "Der Grafikprozessor eines Apple-Computers",
    "Backend Folder": "Ordner des Backends",
    "Where the backend is installed, 1.5 to 8 GB; empty for this extension's own folder, which goes with the extension": "Wo das Backend "
    "installiert wird, 1,5 bis 8 GB; leer für den eigenen Ordner dieser Erweiterung, der mit ihr verschwindet",
    "Offline Bundle": "Offline-Paket",
    "A folder with the backend's packages, for computers without a network; empty to download them": "Ein Ordner mit den Paketen des "
    "Backends, für Computer ohne Netz; leer, um sie herunterzuladen",
    "Cache": "Zwischenspeicher",
    "Folder that keeps what was seen in footage, so that a second run need not look again; empty for the default": "Ordner für das, was "
    "in Aufnahmen gesehen wurde, damit ein zweiter Lauf nicht noch einmal hinsehen muss; leer für den üblichen",
    # The result
    "Result": "Ergebnis",
    "Confidence Colours": "Farben nach Sicherheit",
    "Colour the bones by how sure the result is of them, red to green; or by side, as other rigs have them": "Die Knochen danach färben, "
    "wie sicher das Ergebnis ist, von Rot bis Grün; oder nach Seiten wie bei anderen Rigs",
    "Select a person that MeshRec has made": "Eine Person auswählen, die MeshRec gemacht hat",
    "Copy the whole report of this result to the clipboard; it is also a text block of the file": "Den ganzen Bericht dieses Ergebnisses "
    "in die Zwischenablage legen; er ist auch ein Textblock der Datei",
    'The report is on the clipboard, and the text block "{name}" of this file.': "Der Bericht ist in der Zwischenablage und der Textblock "
    "„{name}“ dieser Datei.",
    "Anatomical Angles": "Anatomische Winkel",
    "Select a bone in Pose Mode": "Im Pose-Modus einen Knochen wählen",
    "At the limit": "An der Grenze",
    "{angle}: most": "{angle}: oben",
    "{angle}: least": "{angle}: unten",
    "{low}° to {high}°": "{low}° bis {high}°",
    "free": "frei",
    # Retargeting
    "Retarget": "Übertragen",
    "Let the character move as the person does: one new action; the rig itself is not changed": "Die Figur sich bewegen lassen wie die "
    "Person: eine neue Aktion; das Rig selbst bleibt, wie es ist",
    "The armature whose movement is wanted": "Die Armatur, deren Bewegung gewünscht ist",
    "Character": "Figur",
    "The armature of your character. Its rest pose, constraints and actions are not changed": "Die Armatur der eigenen Figur. Ihre "
    "Ruhestellung, ihre Constraints und Aktionen bleiben, wie sie sind",
    "Movement": "Fortbewegung",
    "What carries the character through the scene": "Was die Figur durch die Szene trägt",
    "Hips": "Hüfte",
    "The hips carry the whole movement": "Die Hüfte trägt die ganze Bewegung",
    "Root Bone": "Wurzelknochen",
    "A root bone carries the path over the floor and the heading, as engines want it; where the character has one": "Ein Wurzelknochen "
    "trägt den Weg über den Boden und die Richtung, wie Engines es wollen; wo die Figur einen hat",
    "In Place": "Auf der Stelle",
    "The character stays where it stands": "Die Figur bleibt, wo sie steht",
    "Keep Foot Contacts": "Fußkontakte bewahren",
    "Plant heels and toes where the person's touch the floor": "Fersen und Zehen aufsetzen, wo die der Person den Boden berühren",
    "Keep Hands in Place": "Hände an ihrem Ort",
    "Bring hands to where the person's are, whatever the length of the arms": "Die Hände dorthin bringen, wo die der Person sind, wie "
    "lang die Arme auch sind",
    "Controls": "Steuerung",
    "Which controls of a control rig are keyed": "Welche Steuerungen eines Kontroll-Rigs Keyframes bekommen",
    "FK and IK": "FK und IK",
    "Key both sets of controls, so that either can be switched on": "Beide Sätze von Steuerungen, sodass jeder eingeschaltet werden kann",
    "Key the FK controls and switch the rig to FK": "Die FK-Steuerungen, und das Rig auf FK schalten",
    "Key the IK controls and switch the rig to IK": "Die IK-Steuerungen, und das Rig auf IK schalten",
    "Preview Frame": "Vorschau",
    "Show the character at the current frame as it would be; press again to put it back": "Die Figur zeigen, wie sie im aktuellen Bild "
    "wäre; ein zweiter Klick stellt sie zurück",
    "Choose your character first": "Zuerst die Figur wählen",
    "Choose the person whose movement is wanted first": "Zuerst die Person wählen, deren Bewegung gewünscht ist",
    "Person and character are the same armature": "Person und Figur sind dieselbe Armatur",
    '"{character}" performs "{action}".': "„{character}“ spielt „{action}“.",
    "Mapping": "Zuordnung",
    "Find Bones": "Knochen finden",
    "Find out which bone of the character is which part of a body": "Herausfinden, welcher Knochen der Figur welcher Teil eines Körpers "
    "ist",
    "found by a preset": "gefunden durch eine Vorlage",
    "found by the file's own map": "gefunden durch die eigene Liste der Datei",
    "found by names": "gefunden durch Namen",
    "found by shape alone": "gefunden allein durch die Form",
    "found by hand": "von Hand",
    "Part": "Teil",
    "Which part of the body": "Welcher Teil des Körpers",
    "Bone": "Knochen",
    "The character's bone for this part of the body": "Der Knochen der Figur für diesen Teil des Körpers",
    "Confidence": "Sicherheit",
    "How sure the mapping is, 0 to 1": "Wie sicher die Zuordnung ist, 0 bis 1",
    "Add Bone": "Knochen hinzufügen",
    "Add a bone of the character to the mapping": "Der Zuordnung einen Knochen der Figur hinzufügen",
    "Remove Bone": "Knochen entfernen",
    "Take the chosen bone out of the mapping; it keeps its rest pose": "Den gewählten Knochen aus der Zuordnung nehmen; er behält seine "
    "Ruhestellung",
    "Save Mapping": "Zuordnung speichern",
    "Save the mapping as a file, to load again or to share": "Die Zuordnung als Datei speichern, um sie wieder zu laden oder "
    "weiterzugeben",
    "Load Mapping": "Zuordnung laden",
    "Load a mapping that was saved": "Eine gespeicherte Zuordnung laden",
    # Files
    "Export Character": "Figur exportieren",
    "Write the selected people or characters to a file; the scene stays as it is": "Die ausgewählten Personen oder Figuren in eine Datei "
    "schreiben; die Szene bleibt, wie sie ist",
    "Select a person that MeshRec has made, or your character": "Eine Person auswählen, die MeshRec gemacht hat, oder die eigene Figur",
    "Nothing is selected": "Nichts ist ausgewählt",
    "{names} and {count} more": "{names} und {count} weitere",
    "{name} was written.": "{name} wurde geschrieben.",
    "What kind of file": "Was für eine Datei",
    "Armature, mesh and animation, for engines and other 3D programs": "Armatur, Mesh und Animation, für Engines und andere 3D-Programme",
    "Armature, mesh and animation in one .glb, for the web and engines": "Armatur, Mesh und Animation in einer .glb, für das Web und "
    "Engines",
    "Skeleton, mesh and animation, for film pipelines": "Skelett, Mesh und Animation, für die Filmproduktion",
    "The skeleton's motion alone": "Nur die Bewegung des Skeletts",
    "SMPL parameters and camera, for research and for MeshRec's own Import": "SMPL-Parameter und Kamera, für die Forschung und für den "
    "Import in MeshRec",
    "For": "Für",
    "The program that is to read the file": "Das Programm, das die Datei lesen soll",
    "General": "Allgemein",
    "Y up, for Blender, Maya, 3ds Max, Cinema 4D and most other programs": "Y oben, für Blender, Maya, 3ds Max, Cinema 4D und die meisten "
    "anderen Programme",
    "Z up, nothing is turned on the way": "Z oben, nichts wird unterwegs gedreht",
    "Y up, and no object is rotated": "Y oben, und kein Objekt ist gedreht",
    "Import Motion": "Bewegung importieren",
    "Bring a motion that MeshRec has exported into the scene as an animated character": "Eine Bewegung, die MeshRec exportiert hat, als "
    "bewegte Figur in die Szene bringen",
    "MeshRec Motion (.npz)": "MeshRec-Bewegung (.npz)",
    "MeshRec Character (.fbx/.glb/.usdc/.bvh/.npz)": "MeshRec-Figur (.fbx/.glb/.usdc/.bvh/.npz)",
    "Footage for MeshRec": "Aufnahme für MeshRec",
    "Motion for MeshRec": "Bewegung für MeshRec",
    "Reference Image": "Referenzbild",
    "Reconstruct the people in what was dropped into the 3D view, or do with it what Blender does": "Die Personen in dem rekonstruieren, "
    "was in die 3D-Ansicht gezogen wurde, oder damit tun, was Blender tut",
    "{name} is the footage now. Click Reconstruct in the sidebar's MeshRec tab (N).": "{name} ist jetzt die Aufnahme. In der Seitenleiste "
    "(N), Reiter MeshRec, auf Rekonstruieren klicken.",
    "There is no file {path}.": "Es gibt keine Datei {path}.",
    "There is no file {path}. Choose one that exists.": "Es gibt keine Datei {path}. Bitte eine wählen, die es gibt.",
    "MeshRec Presets": "MeshRec-Vorlagen",
    "No presets yet": "Noch keine Vorlagen",
    "Add MeshRec Preset": "MeshRec-Vorlage hinzufügen",
    "Keep the settings under a name, or remove a preset": "Die Einstellungen unter einem Namen aufbewahren, oder eine Vorlage entfernen",
    **PARTS_OF_A_BODY,
}  # fmt: skip

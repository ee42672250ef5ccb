"""What can be wrong with files and characters, in German: the rarer sentences of other parts. The usual ones are in sentences.py."""

GERMAN_ERRORS = {
    # Footage
    "Choose a video, an image, or a folder of numbered images.": "Ein Video, ein Bild oder einen Ordner nummerierter Bilder wählen.",
    "Export the clip again as an H.264 .mp4.": "Den Clip noch einmal als .mp4 (H.264) exportieren.",
    "{name} was cut off before its index was written (no moov atom).": "{name} wurde abgeschnitten, bevor der Index geschrieben war (kein "
    "moov-Atom).",
    "{name} holds sound but no pictures.": "{name} enthält Ton, aber keine Bilder.",
    "{name} holds no pictures.": "{name} enthält keine Bilder.",
    # 2D keypoints
    "{name} cannot be read as a keypoints file.": "{name} kann nicht als Datei mit 2D-Punkten gelesen werden.",
    "{name} lacks {keys}.": "{name} fehlt {keys}.",
    "{name} names an unknown keypoint set, {set}.": "{name} nennt eine unbekannte Art von 2D-Punkten, {set}.",
    "The keypoints of {name} do not have the shape of {set}, (F,{count},3) or (F,P,{count_again},3).": "Die 2D-Punkte von {name} haben "
    "nicht die Form von {set}, (F,{count},3) oder (F,P,{count_again},3).",
    "The image_size or fps of {name} is not a number.": "image_size oder fps von {name} ist keine Zahl.",
    "{name} has no usable image_size or fps.": "{name} hat kein brauchbares image_size oder fps.",
    "The file needs keypoints (F,K,3) or (F,P,K,3), keypoint_set, image_size (width, height) and fps.": "Die Datei braucht keypoints "
    "(F,K,3) oder (F,P,K,3), keypoint_set, image_size (Breite, Höhe) und fps.",
    "The keypoints in {name} are not in pixels.": "Die 2D-Punkte in {name} sind nicht in Pixeln.",
    "Multiply them by the picture's width and height.": "Sie mit Breite und Höhe des Bildes malnehmen.",
    "Run OpenPose with --keypoint_scale 0.": "OpenPose mit --keypoint_scale 0 laufen lassen.",
    "The folder {name} holds no keypoints.": "Der Ordner {name} enthält keine 2D-Punkte.",
    "The files in {name} have different numbers of keypoints.": "Die Dateien in {name} haben verschieden viele 2D-Punkte.",
    "{name} is not a file that OpenPose wrote.": "{name} ist keine Datei, die OpenPose geschrieben hat.",
    "{name} has {count} keypoints a person, which no known set has.": "{name} hat {count} Punkte je Person, was keine bekannte Art hat.",
    "Choose the folder that OpenPose's --write_json made, or convert it to an .npz with keypoints, keypoint_set, image_size and fps.":
    "Den Ordner wählen, den --write_json von OpenPose gemacht hat, oder eine .npz mit keypoints, keypoint_set, image_size und fps daraus "
    "machen.",
    "OpenPose's files do not say how large the picture is: {width} x {height} was assumed. An .npz with image_size is exact.": "Die "
    "Dateien von OpenPose sagen nicht, wie groß das Bild ist: {width} x {height} wurde angenommen. Eine .npz mit image_size ist genau.",
    "Choose one of: {known}.": "Eines von diesen wählen: {known}.",
    "Use one of: {known}.": "Eines von diesen nehmen: {known}.",
    # Bodies and models
    "{name} has {count} joints; SMPL has 24, SMPL-H 52 and SMPL-X 55.": "{name} hat {count} Gelenke; SMPL hat 24, SMPL-H 52 und SMPL-X 55.",
    "{name} is a SKEL model, not an SMPL one.": "{name} ist ein Modell von SKEL, nicht von SMPL.",
    "{name} is a motion, not a body.": "{name} ist eine Bewegung, kein Körper.",
    "{name} is not a SKEL body.": "{name} ist kein SKEL-Körper.",
    "{name} is not a whole SKEL file: it lacks {keys}.": "{name} ist keine ganze SKEL-Datei: Es fehlt {keys}.",
    "{name} is neither .pkl nor .npz, the formats SKEL files come in.": "{name} ist weder .pkl noch .npz, die Formate von SKEL-Dateien.",
    "{name} is version {found} of SKEL's files; this software reads version {known}.": "{name} ist Version {found} der SKEL-Dateien; diese "
    "Software liest Version {known}.",
    "{name} is damaged.": "{name} ist beschädigt.",
    "{name} is damaged: {reason}.": "{name} ist beschädigt: {reason}.",
    "{name} is not a whole body file: {reason}.": "{name} ist keine ganze Körperdatei: {reason}.",
    "Download it again from its official site.": "Noch einmal von der offiziellen Seite herunterladen.",
    "Download it again from its official site, or choose another file.": "Noch einmal von der offiziellen Seite herunterladen, oder eine "
    "andere Datei wählen.",
    "{name} asks for {what}, which a body file never needs, so it was not read.": "{name} verlangt {what}, was eine Körperdatei nie "
    "braucht; sie wurde nicht gelesen.",
    "Use the file as its official site delivers it, and do not open this one with other software.": "Die Datei nehmen, wie die offizielle "
    "Seite sie liefert, und diese nicht mit anderer Software öffnen.",
    "{name} is an SMPL-H or SMPL-X file, which needs the smplx package.": "{name} ist eine Datei von SMPL-H oder SMPL-X, die das Paket "
    "smplx braucht.",
    "Install it beside the backend (pip install smplx; its licence is non-commercial), or choose an SMPL file.": "Es neben dem Backend "
    "installieren (pip install smplx; die Lizenz ist nicht kommerziell), oder eine SMPL-Datei wählen.",
    "PC-HMR does not know the hands of the body {name}.": "PC-HMR kennt die Hände des Körpers {name} nicht.",
    "Choose a body of 24 joints, or another method.": "Einen Körper mit 24 Gelenken wählen, oder eine andere Methode.",
    "The angles were made on another SKEL body ({made}, not {given}).": "Die Winkel wurden auf einem anderen SKEL-Körper gemacht ({made}, "
    "nicht {given}).",
    "Choose the SKEL file they were made with.": "Die SKEL-Datei wählen, mit der sie gemacht wurden.",
    "Choose the open SKEL body.": "Den offenen SKEL-Körper wählen.",
    "The SKEL body {skel} and the body {body} have different skins.": "Der SKEL-Körper {skel} und der Körper {body} haben verschiedene "
    "Häute.",
    "The body {body} and the SKEL body {skel} have different skins.": "Der Körper {body} und der SKEL-Körper {skel} haben verschiedene "
    "Häute.",
    "Use the open SKEL body with the open body, and your own SKEL file with your own SMPL file.": "Den offenen SKEL-Körper mit dem offenen "
    "Körper nehmen, und die eigene SKEL-Datei mit der eigenen SMPL-Datei.",
    "The motion of {name} has {have} joints and the body {body} has {need}.": "Die Bewegung von {name} hat {have} Gelenke, und der Körper "
    "{body} hat {need}.",
    "Choose the body that the motion was made with.": "Den Körper wählen, mit dem die Bewegung gemacht wurde.",
    "The motion of {name} has no angles of SKEL.": "Die Bewegung von {name} hat keine Winkel von SKEL.",
    "Reconstruct it with the skeleton SKEL.": "Mit dem Skelett SKEL rekonstruieren.",
    "There is no Python at {path}.": "Bei {path} ist kein Python.",
    # Files
    "The disk is full: {name} was not written.": "Die Festplatte ist voll: {name} wurde nicht geschrieben.",
    "{path} is not a folder.": "{path} ist kein Ordner.",
    "{path} is a folder.": "{path} ist ein Ordner.",
    "Choose another output folder.": "Einen anderen Ordner wählen.",
    "Choose another output file.": "Eine andere Datei wählen.",
    "Give the output a file name.": "Einen Dateinamen angeben.",
    "{path} cannot be read: {reason}.": "{path} kann nicht gelesen werden: {reason}.",
    "Check the path and that you may read it.": "Den Pfad prüfen, und ob man sie lesen darf.",
    "{name} cannot be read as an SMPL motion.": "{name} kann nicht als Bewegung von SMPL gelesen werden.",
    "The poses and trans of {name} do not fit together: {poses} and {trans}.": "poses und trans von {name} passen nicht zusammen: {poses} "
    "und {trans}.",
    "{name} holds numbers that are not finite.": "{name} enthält Zahlen, die nicht endlich sind.",
    "{name} is not a motion that can be retargeted.": "{name} ist keine Bewegung, die übertragen werden kann.",
    "{name} is not a BVH file.": "{name} ist keine BVH-Datei.",
    "{name} holds no motion.": "{name} enthält keine Bewegung.",
    "Export the motion as BVH again, or choose another file.": "Die Bewegung noch einmal als BVH exportieren, oder eine andere Datei "
    "wählen.",
    "{name} is not a mapping preset.": "{name} ist keine Vorgabe einer Zuordnung.",
    "Choose a file that was saved as a mapping preset.": "Eine Datei wählen, die als Vorgabe einer Zuordnung gespeichert wurde.",
    "Choose another mapping preset.": "Eine andere Vorgabe einer Zuordnung wählen.",
    "Save the mapping again from a rig, or choose another preset.": "Die Zuordnung noch einmal von einem Rig speichern, oder eine andere "
    "Vorgabe wählen.",
    "{name} was saved by a later version.": "{name} wurde mit einer späteren Version gespeichert.",
    "Update the add-on, or save the mapping again.": "Das Add-on aktualisieren, oder die Zuordnung noch einmal speichern.",
    "There are no frames from {first} to {last}.": "Von {first} bis {last} gibt es keine Bilder.",
    "Choose a last frame after the first.": "Ein letztes Bild nach dem ersten wählen.",
    '"{name}" is scaled.': "„{name}“ ist skaliert.",
    "Set its scale back to 1: an .npz holds metres.": "Die Skalierung auf 1 zurücksetzen: Eine .npz enthält Meter.",
    "Choose a person that MeshRec has made with SMPL's skeleton, or another format.": "Eine Person wählen, die MeshRec mit dem Skelett von "
    "SMPL gemacht hat, oder ein anderes Format.",
    "{name} holds {frames} frames of {points} points, {body} {keys} of {vertices}.": "{name} enthält {frames} Bilder mit {points} Punkten, "
    "{body} {keys} mit {vertices}.",
    "{name} is larger than a BVH file can be.": "{name} ist größer, als eine BVH-Datei sein kann.",
    "Give a motion as one of: {known}.": "Eine Bewegung als eines von diesen angeben: {known}.",
    "{name} is too large for a mapping preset.": "{name} ist zu groß für die Vorgabe einer Zuordnung.",
    "The motion to convert is empty or has values that are not finite.": "Die Bewegung ist leer oder enthält Zahlen, die nicht endlich "
    "sind.",
    "Choose a motion file that is whole.": "Eine Bewegung wählen, die ganz ist.",
    "{name} goes without the pose blend shapes of its body.": "{name} bleibt ohne die Pose-Blend-Shapes des Körpers.",
    # Installing
    "Installing the backend was cancelled.": "Das Installieren des Backends wurde abgebrochen.",
    "Install Backend goes on where it stopped.": "Backend installieren geht weiter, wo es stehen blieb.",
    "Installing the backend failed: {reason}.": "Das Installieren des Backends ist fehlgeschlagen: {reason}.",
    "Report this with what Copy Details gives.": "Dies mit Einzelheiten kopieren melden.",
    "The backend could not be installed: {reason}.": "Das Backend konnte nicht installiert werden: {reason}.",
    "Click Install Backend again.": "Wieder auf Backend installieren klicken.",
    "The backend was installed, but does not run (exit code {code}).": "Das Backend wurde installiert, läuft aber nicht (Exit-Code "
    "{code}).",
    "The backend could not be removed: {reason} ({path}).": "Das Backend konnte nicht entfernt werden: {reason} ({path}).",
    "End every job that uses it, then try again.": "Alles beenden, was es benutzt, und noch einmal versuchen.",
    "The list of the backend's packages is missing.": "Die Liste der Pakete des Backends fehlt.",
    "{program} could not be started: {reason}.": "{program} konnte nicht gestartet werden: {reason}.",
    "Choose another Python in the add-on's preferences.": "In den Einstellungen des Add-ons ein anderes Python wählen.",
    # Characters
    'The control "{name}" of "{rig}" follows several others in part.': "Der Regler „{name}“ von „{rig}“ folgt mehreren anderen zum Teil.",
    "Set the rig's switches so that this control follows one other, and name them in the mapping preset.": "Die Schalter des Rigs so "
    "stellen, dass dieser Regler einem anderen folgt, und sie in der Vorgabe der Zuordnung nennen.",
    '"{name}" does not look like a person: no {what} was found among its {count} bones.': "„{name}“ sieht nicht wie ein Mensch aus: Unter "
    "den {count} Knochen fehlt {what}.",
    '"{name}" does not look like a person: its arms and legs do not hang from one spine.': "„{name}“ sieht nicht wie ein Mensch aus: Arme "
    "und Beine hängen nicht an einer Wirbelsäule.",
    'The arms and legs of "{name}" hang not from one spine but from {count} separate roots: {bones}.': "Arme und Beine von „{name}“ hängen "
    "nicht an einer Wirbelsäule, sondern an {count} getrennten Wurzeln: {bones}.",
    '"{name}" stands on four legs: its spine lies flat and its arms reach the ground.': "„{name}“ steht auf vier Beinen: Die Wirbelsäule "
    "liegt waagerecht, und die Arme reichen zum Boden.",
    'The mapping does not fit "{name}"; {what} would be missing: it has no bone {bones}.': "Die Zuordnung passt nicht zu „{name}“; {what} "
    "würde fehlen: Es gibt keinen Knochen {bones}.",
    'The mapping does not fit "{name}"; {what} would be missing.': "Die Zuordnung passt nicht zu „{name}“; {what} würde fehlen.",
    "Choose the bones by hand in the Mapping list of the Retarget panel, or load a mapping preset for this rig.": "Die Knochen in der "
    "Liste Zuordnung von Hand wählen, oder eine Vorgabe für dieses Rig laden.",
    '"{name}" has a negative or zero scale, which mirrors or flattens its bones.': "„{name}“ hat eine negative Skalierung oder eine von "
    "null, die Knochen spiegelt oder plattdrückt.",
    "Apply the object's scale (Ctrl A, Scale) and try again.": "Die Skalierung des Objekts anwenden (Strg A, Skalierung) und noch einmal "
    "versuchen.",
    "{name} is not an armature.": "{name} ist keine Armatur.",
    "Choose the armature of a character.": "Die Armatur einer Figur wählen.",
    '"{name}" is linked from {path} and cannot be animated here.': "„{name}“ ist aus {path} verknüpft und kann hier nicht animiert werden.",
    'The constraints of "{name}" go in a circle: {bones}.': "Die Constraints von „{name}“ drehen sich im Kreis: {bones}.",
    "Mute or remove one of these constraints.": "Einen dieser Constraints stummschalten oder entfernen.",
    'In "{name}" these bones have no length: {bones}.': "In „{name}“ haben diese Knochen keine Länge: {bones}.",
    "Give them a length in Edit Mode, or choose others in Mapping.": "Ihnen im Bearbeitungsmodus eine Länge geben, oder unter Zuordnung "
    "andere wählen.",
    '"{name}" is mirrored: its scale is negative.': "„{name}“ ist gespiegelt: Die Skalierung ist negativ.",
    "Apply the scale (Object > Apply > Scale), or make it positive.": "Die Skalierung anwenden (Objekt > Anwenden > Skalierung), oder "
    "positiv machen.",
    '"{name}" is flat: its scale is zero along an axis.': "„{name}“ ist flach: Die Skalierung ist auf einer Achse null.",
    "Give it a scale that is not zero.": "Eine Skalierung geben, die nicht null ist.",
    'The rest pose of "{name}" is damaged at "{bone}".': "Die Ruhepose von „{name}“ ist bei „{bone}“ beschädigt.",
    "Export the character again.": "Die Figur noch einmal exportieren.",
}  # fmt: skip

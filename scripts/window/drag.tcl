# A small window from which a file can be dragged, as from a file manager: wish drag.tcl X Y FILE...
package require tkdnd
set files [lrange $argv 2 end]
wm overrideredirect . 1
wm geometry . 120x30+[lindex $argv 0]+[lindex $argv 1]
pack [label .file -text [file tail [lindex $files 0]] -bg white] -fill both -expand 1
tkdnd::drag_source register .file DND_Files
bind .file <<DragInitCmd>> {list copy DND_Files $files}
# Hidden, not ended: Blender goes on talking to the window that something was dragged from.
bind .file <<DragEndCmd>> {wm withdraw .}

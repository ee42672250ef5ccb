# A small window from which a file can be dragged, as from a file manager: wish drag.tcl STATE X Y FILE...
# The file STATE says "ready" when it can be taken and "over" when it was let go.
package require tkdnd
proc say {text} {
    set file [open [lindex $::argv 0] w]
    puts $file $text
    close $file
}
set files [lrange $argv 3 end]
wm overrideredirect . 1
wm geometry . 120x30+[lindex $argv 1]+[lindex $argv 2]
pack [label .file -text [file tail [lindex $files 0]] -bg white] -fill both -expand 1
tkdnd::drag_source register .file DND_Files
bind .file <<DragInitCmd>> {list copy DND_Files $files}
# Hidden, not ended: Blender goes on talking to the window that something was dragged from.
bind .file <<DragEndCmd>> {wm withdraw .; say over}
tkwait visibility .
update
after 300 {say ready}

"""A skeleton as .fbx in text, as FBX Converter and older programs write it."""

_HEAD = """; FBX 7.4.0 project file
FBXHeaderExtension:  {
	FBXHeaderVersion: 1003
	FBXVersion: 7400
	Creator: "meshrec tests"
}
GlobalSettings:  {
	Version: 1000
	Properties70:  {
		P: "UpAxis", "int", "Integer", "",2
		P: "UpAxisSign", "int", "Integer", "",1
		P: "FrontAxis", "int", "Integer", "",1
		P: "FrontAxisSign", "int", "Integer", "",-1
		P: "CoordAxis", "int", "Integer", "",0
		P: "CoordAxisSign", "int", "Integer", "",1
		P: "UnitScaleFactor", "double", "Number", "",100
	}
}
"""
_BONE = """	NodeAttribute: {attribute}, "NodeAttribute::{name}", "LimbNode" {{
		TypeFlags: "Skeleton"
	}}
	Model: {model}, "Model::{name}", "LimbNode" {{
		Version: 232
		Properties70:  {{
			P: "Lcl Translation", "Lcl Translation", "", "A",{0},{1},{2}
		}}
	}}
"""


def write_ascii_fbx(path, bones):
    """Write bones, name -> (parent or None, offset from it in metres), parents first; returns the path."""
    numbers = {name: 1000 + 2 * row for row, name in enumerate(bones)}
    objects, connections = "", ""
    for name, (parent, offset) in bones.items():
        objects += _BONE.format(*offset, name=name, model=numbers[name], attribute=numbers[name] + 1)
        connections += f'\tC: "OO",{numbers[name] + 1},{numbers[name]}\n\tC: "OO",{numbers[name]},{numbers.get(parent, 0)}\n'
    path.write_text(f"{_HEAD}Objects:  {{\n{objects}}}\nConnections:  {{\n{connections}}}\n")
    return path

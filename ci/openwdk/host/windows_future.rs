//! Stands in for `windows-future`, which `windows` brings along, nothing here uses, and Linux cannot compile.

"""One file for each kind of hardware; `edge.ports.Driver` is the promise each of them keeps."""

"""One file for each kind of hardware; `edge.model.ports.Driver` is the promise each of them keeps."""

"""The directory as a file: people as a sheet of cells for spreadsheets, or the whole document.

`sheet` has the columns and reads a text into rows, `export` writes rows and the document, piece by piece. `rows` says
what the rows of a sheet change, `people` and `cards` whom and which cards they name, `plan` what comes of it and all
that is wrong; `difference` compares two directories. Others may use `sheet`, `export`, `plan` and `difference`.
"""

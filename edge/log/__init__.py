"""The log: a SQLite file of records, each with its number, its time and its place in a chain of hashes.

In: `log.Log` puts an event into `buffer`; the thread of `writer` commits what waits as one group (`prepared`,
`store`) and tells `listeners`. Out: `reading/` answers in order or filtered, live or from a file; `index/` says where
to look in a long one. `schema` is the file's format, `connections` opens it, `retention` is what leaves it, `verify`
whether it is as written. Others may use `log`, `options`, `reading/`, `schema`, `connections`, `file`, `verify`,
`remembered` and `index/`.
"""

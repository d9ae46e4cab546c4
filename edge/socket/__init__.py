"""The Unix socket: one JSON object a line, for those whom the kernel vouches for.

`server` takes connections and calls the operations that it is given; `peers` says who asks, `limits` how much at
once, `allowances` how much of it may become records. `watchers` are those who look on live. What is answered is in
`edge/daemon/service.py`. Others may use `server`, `peers`, `watchers` and `allowances`.
"""

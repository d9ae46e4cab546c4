"""Bytes from outside become one command, carried out once, or a refusal that says why.

In: `shape` checks the JSON, `claims` and `tokens` the signature, `parsing` makes an order of it; `intake`
judges it by its id, age and sender, has it carried out, and answers. `allowance` limits what is only written
down. `refusals` records and answers what was refused, within limits. Others may use `intake`, `parsing`, `shape`,
`claims` and `tokens`.
"""

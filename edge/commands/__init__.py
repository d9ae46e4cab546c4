"""Commands over MQTT: bytes become a command, which is carried out once, or a refusal that says why.

`shape` checks the JSON, `claims` and `tokens` check the signature, and `parsing` returns an order or a refusal.
`intake` checks that the id is new, has the order carried out, and answers. `allowance` limits how often a key may give
each command. `refusals` records and answers refused commands, within limits. Others may use `intake`, `parsing`,
`shape`, `claims` and `tokens`.
"""

"""The pages: what each path answers.

`edge/web/page.py` checks forms and knows the account; `edge/web/words.py` puts into words what is shown.
"""

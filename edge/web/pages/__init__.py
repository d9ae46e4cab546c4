"""The pages: what each path answers.

A form is believed and a reader is known by `edge/web/page.py`; what is shown is put in words by `edge/web/words.py`.
"""

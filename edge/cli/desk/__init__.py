"""`doorctl people`, `doorctl card`, `doorctl visitor` and `doorctl access`: what somebody at a desk does.

`arguments` has what these commands take; `people`, `cards`, `visitors`, `access` and `exchange` (export and import) run
them, and `enrolling` waits for a card at a reader. doord finds, plans and changes: here it is asked, and its answer is
put into words.
"""

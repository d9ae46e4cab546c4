"""`doorctl people` and `doorctl card`: what somebody at a desk does.

`arguments` has what these commands take, `people` and `cards` run them. doord finds, plans and changes: here it is
asked, and its answer is put into words.
"""

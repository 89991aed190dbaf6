"""How fast, how big and how soon?  `make bench` measures it and prints JSON.

Every measured program is a process of its own with a backlog that was written before it started;
what writes the load is never inside a figure.  Which lines are compared with which is told in
`report`; the goals are written in `goals`.
"""

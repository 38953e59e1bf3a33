"""Reports as HTML pages: `project_report` on a search, `list_report` about a learned list.

That on a history is `keras_hplist.figures.report`: it shows the paper's figures.
"""

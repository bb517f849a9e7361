"""The report: one HTML page from the JSON files of commands, readable without a server or a network.

``bridgebnn report RUN.json... --out report.html``. See docs/report.md.
"""

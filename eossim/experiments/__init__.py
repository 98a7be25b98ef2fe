"""Networks at their edges: each experiment trains small networks and compares what is measured with what is predicted.

``eossim.experiments.sam_table.run()`` returns a `Result`; functions ``network_*`` of `eossim.plot` draw it.
"""

from __future__ import annotations

from .result import Result

__all__ = ["Result"]

"""Job files: a list of bill numbers, from whatever the operator's spreadsheet or script saved.

``read_job`` of ``reading`` is the door. Behind it, ``sources`` opens the file and finds out its
encoding; ``delimited`` reads CSV, TSV and TXT, ``json_lists`` JSON, ``jsonl`` JSONL, and
``xlsx_lists`` XLSX, whose file ``xlsx_package`` opens and ``xlsx_xml`` parses.
``number_columns`` says what a bill number may look like and under which headings it stands, and
``troubles`` what can be wrong.

Whatever the bytes are, they end as valid ``Listed`` values or as one ``JobFileError``.
"""

from k3push.adapters.job_files.reading import read_job as read_job
from k3push.adapters.job_files.troubles import Code as Code
from k3push.adapters.job_files.troubles import JobFileError as JobFileError
from k3push.adapters.job_files.troubles import Trouble as Trouble

"""Job files: a list of bill numbers, from whatever the operator's spreadsheet or script saved.

``read_job`` is the door. Behind it, ``sources`` opens the file and finds out its encoding,
``tables`` reads CSV, TSV and TXT, ``documents`` reads JSON, ``records`` reads JSONL and
``workbooks`` reads XLSX, whose sheets ``xlsx`` and ``xlsx_cells`` take out of the file;
``numbers`` says what a bill number may look like, and ``troubles`` holds every sentence
that an operator may be shown, in English and Chinese.

Whatever the bytes are, they end as valid ``Listed`` values or as one ``JobFileError``.
"""

from k3push.adapters.job_files.reading import read_job
from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble

__all__ = ["Code", "JobFileError", "Trouble", "read_job"]

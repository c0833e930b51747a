"""What can be wrong with a job file, and the cure."""

from __future__ import annotations

WORDS = {
    # -- where, and what ---------------------------------------------------------------------
    "job.trouble": ("{place}: {what:.}. {cure}", "{place}：{what:.}。{cure}"),
    "job.more_lines": ("and {count} more", "另有 {count} 行有错。"),
    "job.skip": (
        "To go on without {count:?this line|these lines}, add --skip-bad-lines",
        "如需跳过{count:?该行|这些行}继续，请加上 --skip-bad-lines",
    ),
    "job.place": ("{file}{sheet}{line}{item}", "{file}{sheet}{line}{item}"),
    "job.stdin": ("standard input", "标准输入"),
    "job.at_sheet": (", sheet {sheet}", "，工作表 {sheet}"),
    "job.at_line": (", line {line}", "，第 {line} 行"),
    "job.at_item": (", element {item}", "，第 {item} 个元素"),
    # -- the file as a whole -----------------------------------------------------------------
    "job.missing": ("there is no such file", "文件不存在"),
    "job.missing.cure": ("Check the name and the folder.", "请检查文件名和所在文件夹。"),
    "job.missing_word": ("there is no such file", "文件不存在"),
    "job.missing_word.cure": (
        "Check the name and the folder. A bill number goes into a list, or as in `echo NUMBER | k3push run -`.",
        "请检查文件名和所在文件夹。若是单据编号，请写入清单，或执行 `echo 编号 | k3push run -`。",
    ),
    "job.folder": ("this is a folder", "这是一个文件夹"),
    "job.folder.cure": (
        "Name the job file in it; `k3push run` takes all new ones of a folder.",
        "请指定其中的清单文件；`k3push run` 可读取文件夹中的全部新清单。",
    ),
    "job.device": (
        "this is a device, whose bytes may have no end",
        "这是一个设备，其内容可能没有尽头",
    ),
    "job.device.cure": ("Name a file.", "请指定文件。"),
    "job.link": (
        "this is a link, and links in folders that others may write to are not followed",
        "这是一个链接；他人可写入的文件夹中的链接不予读取",
    ),
    "job.link.cure": (
        "Put the file itself there, or name its own place in the settings.",
        "请放入文件本身，或在配置中写明其实际位置。",
    ),
    "job.too_big": (
        "the file has more than {most} MB, which is no list of bills",
        "文件超过 {most} MB，不像单据清单",
    ),
    "job.too_big.cure": ("Split the list.", "请拆分清单。"),
    "job.full_folder": (
        "more files are in the folder than {files}, or more than {most} GB of lists",
        "该文件夹的文件超过 {files} 个，或其中的清单超过 {most} GB",
    ),
    "job.full_folder.cure": (
        "Move lists of earlier times elsewhere.",
        "请将以前的清单移到别处。",
    ),
    "job.kills_reader": (
        "it cannot be read within the limits of memory and time",
        "无法在内存和时间限制内读取",
    ),
    "job.kills_reader.cure": (
        "Save the list anew, as CSV for instance.",
        "请重新保存清单，例如存为 CSV。",
    ),
    "job.aside": (
        "the file was put aside, since its reading twice went beyond the limits of memory or time",
        "文件已搁置：两次读取均超出内存或时间限制",
    ),
    "job.aside.cure": (
        "Save the list anew, or have it tried again: k3push fleet retry.",
        "请重新保存清单，或重试：k3push fleet retry。",
    ),
    "job.no_permission": (
        "this user may not read the file, or another program has locked it",
        "当前用户无权读取该文件，或文件被其他程序占用",
    ),
    "job.no_permission.cure": (
        "Close it elsewhere or have its permissions changed.",
        "请关闭占用它的程序，或调整文件权限。",
    ),
    "job.unreadable": ("the file cannot be read ({reason})", "无法读取该文件（{reason}）"),
    "job.unreadable.cure": (
        "Copy it to a local disk and try again.",
        "请将其复制到本地磁盘后重试。",
    ),
    "job.changed": ("the file changed while it was being read", "读取过程中文件发生了变化"),
    "job.changed.cure": (
        "Wait until it is written completely, then try again.",
        "请等文件写完后再试。",
    ),
    "job.no_byte": (
        "the file is empty, to the last byte; its export has probably failed",
        "文件为空（0 字节），很可能是导出失败",
    ),
    "job.no_byte.cure": (
        "Export it again. An empty list still has its heading.",
        "请重新导出。空清单也应保留标题行。",
    ),
    "job.blank": ("there is nothing in the file but blanks", "文件中只有空白"),
    "job.blank.cure": (
        "Export it again. An empty list still has its heading.",
        "请重新导出。空清单也应保留标题行。",
    ),
    "job.workbook": (
        "this is a workbook of the kind {kind}, of which only XLSX is read",
        "这是 {kind} 格式的工作簿，只能读取 XLSX",
    ),
    "job.workbook.cure": (
        "Open it and save it as an Excel workbook (.xlsx).",
        "请打开后另存为“Excel 工作簿 (.xlsx)”。",
    ),
    "job.workbook_by_another_name": (
        "this is a workbook (XLSX), whatever its name says",
        "文件内容是工作簿（XLSX），与扩展名不符",
    ),
    "job.workbook_by_another_name.cure": ("Name it .xlsx.", "请将扩展名改为 .xlsx。"),
    "job.not_a_workbook": (
        "this is not a workbook (XLSX), whatever its name says",
        "文件内容不是工作簿（XLSX），与扩展名不符",
    ),
    "job.not_a_workbook.cure": (
        "If it is a list or a table of text, name it .csv; else save it as .xlsx again.",
        "如果是文本清单或表格，请将扩展名改为 .csv；否则请重新另存为 .xlsx。",
    ),
    "job.encrypted": ("the workbook is locked with a password", "工作簿已用密码加密"),
    "job.encrypted.cure": (
        "Save it without a password to open, or save the list as CSV UTF-8.",
        "请取消打开密码后保存，或将清单另存为“CSV UTF-8”格式。",
    ),
    "job.damaged_workbook": (
        "the workbook is damaged or not complete ({reason})",
        "工作簿已损坏或不完整（{reason}）",
    ),
    "job.damaged_workbook.cure": (
        "Copy or export it again, or open it in Excel and save it.",
        "请重新复制或导出，或用 Excel 打开后重新保存。",
    ),
    "job.no_such_sheet": (
        "there is no sheet {wanted}; there are: {sheets}",
        "没有名为 {wanted} 的工作表；现有：{sheets}",
    ),
    "job.no_such_sheet.cure": ("Name one of these with --sheet.", "请用 --sheet 指定其中一个。"),
    "job.which_sheet": (
        "the workbook has several sheets: {sheets}",
        "工作簿有多个工作表：{sheets}",
    ),
    "job.which_sheet.cure": ("Name one of these with --sheet.", "请用 --sheet 指定其中一个。"),
    "job.other_sheets": (
        "only this sheet is read; there are others: {sheets}",
        "只读取此工作表；另有：{sheets}",
    ),
    "job.other_sheets.cure": (
        "To read one of these, name it with --sheet.",
        "如需读取其中之一，请用 --sheet 指定。",
    ),
    "job.encoding_perhaps": (
        "{value} is read as UTF-8; in GB18030 it is {other}",
        "{value} 是按 UTF-8 读取的；按 GB18030 则为 {other}",
    ),
    "job.encoding_perhaps.cure": (
        "If that is meant, save the list as UTF-8.",
        "如应为后者，请将清单另存为 UTF-8。",
    ),
    "job.heading_perhaps": (
        "{value} is read as a bill number, though it has no digit",
        "{value} 中没有数字，但按单据编号读取",
    ),
    "job.heading_perhaps.cure": (
        "If it is the heading, call it number, or name it with --column.",
        "如为标题，请改为“单据编号”，或用 --column 指定。",
    ),
    "job.no_sheet": (
        "the workbook has no visible sheet with cells (hidden: {sheets})",
        "工作簿中没有可见的工作表（隐藏的：{sheets}）",
    ),
    "job.no_sheet.cure": (
        "Name a hidden one with --sheet, or show it and save the workbook.",
        "请用 --sheet 指定隐藏的工作表，或取消隐藏后保存。",
    ),
    "job.blank_sheet": ("there is nothing in this sheet", "此工作表中没有内容"),
    "job.blank_sheet.cure": (
        "Name another with --sheet ({sheets}). An empty list still has its heading.",
        "请用 --sheet 指定其他工作表（{sheets}）。空清单也应保留标题行。",
    ),
    "job.blank_only_sheet": (
        "there is nothing in this sheet, which is the only one",
        "工作簿只有这一个工作表，其中没有内容",
    ),
    "job.blank_only_sheet.cure": (
        "Save the list again; an empty one still has its heading.",
        "请重新保存清单；空清单也应保留标题行。",
    ),
    "job.other_kind": (
        "this is not a list of numbers but {kind}, whatever its name says",
        "文件内容是 {kind}，与扩展名不符，不是编号清单",
    ),
    "job.other_kind.cure": ("Export the list as CSV UTF-8.", "请将清单导出为“CSV UTF-8”格式。"),
    "job.settings": (
        "this is a file of settings (TOML), not a list of numbers",
        "这是配置文件（TOML），不是编号清单",
    ),
    "job.settings.cure": (
        "Name the list; a file of settings stands behind --config.",
        "请指定清单文件；配置文件用 --config 指定。",
    ),
    "job.undecodable": (
        "there are bytes that are no {encoding} text",
        "存在无法按 {encoding} 解码的字节",
    ),
    "job.undecodable.cure": (
        "The file is damaged or in another encoding. Save it as CSV UTF-8.",
        "文件已损坏或使用了其他编码，请另存为“CSV UTF-8”格式。",
    ),
    "job.nul": (
        "there is a NUL byte, so the file is damaged or no text at all",
        "存在 NUL 字节，文件已损坏或不是文本文件",
    ),
    "job.nul.cure": ("Export it again, as CSV UTF-8.", "请重新导出为“CSV UTF-8”格式。"),
    "job.long_line": ("the line is longer than {most} characters", "该行超过 {most} 个字符"),
    "job.long_line.cure": ("Put each number on a line of its own.", "请将每个编号单独放在一行。"),
    # -- tables ----------------------------------------------------------------------------
    "job.unknown_headings": (
        "none of the headings is known as the bill number ({headings})",
        "没有可识别为单据编号的列标题（{headings}）",
    ),
    "job.unknown_headings.cure": (
        "Name the column with --column, or call it number; if these are bill numbers, put each on a line of its own.",
        "请用 --column 指定列名，或将该列标题改为“单据编号”；如果这些就是单据编号，请每行放一个。",
    ),
    "job.late_heading": (
        "the heading {value} stands below other lines",
        "列标题 {value} 的上方还有其他行",
    ),
    "job.late_heading.cure": (
        "Remove the lines above it, such as a title.",
        "请删除其上方的行，例如表名。",
    ),
    "job.no_such_column": (
        "there is no column {column}; the first line has {headings}",
        "没有名为 {column} 的列；首行内容为：{headings}",
    ),
    "job.no_such_column.cure": ("Name one of these with --column.", "请用 --column 指定其中一列。"),
    "job.two_columns": (
        "more than one column could be meant ({headings})",
        "有多个列都符合（{headings}）",
    ),
    "job.two_columns.cure": (
        "Name the right one with --column, or rename or remove the others.",
        "请用 --column 指定正确的一列，或改名、删除其余的列。",
    ),
    "job.pasted_list": (
        "the first line has several values and no heading ({headings})",
        "首行有多个值而没有标题（{headings}）",
    ),
    "job.pasted_list.cure": (
        "If they are all bill numbers, put each on a line of its own; if they are columns, put a line of headings above them.",
        "如果都是单据编号，请每行放一个；如果是多列，请在上方加一行标题。",
    ),
    "job.open_quote": (
        'a quotation mark (") opens here and is not closed properly',
        '此处的引号（"）没有正确闭合',
    ),
    "job.open_quote.cure": (
        "Close or remove it; if the file breaks off there, export it again.",
        "请补全或删除引号；如果文件在此中断，请重新导出。",
    ),
    # -- JSON ------------------------------------------------------------------------------
    "job.json_in_table": ("the file holds JSON", "文件内容是 JSON"),
    "job.json_in_table.cure": (
        "Name it .json (or .jsonl, for one value a line).",
        "请将扩展名改为 .json（每行一个值时改为 .jsonl）。",
    ),
    "job.not_json": ("the file does not hold JSON", "文件内容不是 JSON"),
    "job.not_json.cure": (
        "Name it .csv, if it is a list or a table.",
        "如果是清单或表格，请将扩展名改为 .csv。",
    ),
    "job.json_not_lines": (
        "the file is one JSON document, not one value a line",
        "文件是一个完整的 JSON 文档，而不是每行一个值",
    ),
    "job.json_not_lines.cure": ("Name it .json.", "请将扩展名改为 .json。"),
    "job.lines_not_json": (
        "the file has one JSON value a line, not one list",
        "文件是每行一个 JSON 值，而不是一个列表",
    ),
    "job.lines_not_json.cure": ("Name it .jsonl.", "请将扩展名改为 .jsonl。"),
    "job.no_list": (
        'there is no list under the key "numbers" (keys: {keys})',
        '键 "numbers" 下没有列表（现有的键：{keys}）',
    ),
    "job.no_list.cure": (
        'Write ["A", "B"] or {{"route": "…", "numbers": ["A", "B"]}}.',
        '请写成 ["A", "B"] 或 {{"route": "…", "numbers": ["A", "B"]}}。',
    ),
    "job.key_twice": ('the key "{key}" is there twice', "键 “{key}” 重复出现"),
    "job.key_twice.cure": ("Keep one of them.", "请只保留一个。"),
    "job.route_not_text": (
        'the value of "route" is {value}, not a name',
        '"route" 的值是 {value}，不是名称',
    ),
    "job.route_not_text.cure": (
        "Write the route's name in quotation marks.",
        "请写成带引号的路线名称。",
    ),
    "job.json_syntax": ("this is not valid JSON", "此处不是合法的 JSON"),
    "job.json_syntax.cure": (
        "Correct it here, or export the file again.",
        "请在此处修正，或重新导出文件。",
    ),
    "job.cut_off": ("the file ends before its JSON is complete", "JSON 不完整，文件提前结束"),
    "job.cut_off.cure": (
        "It was probably cut off: export or copy it again.",
        "文件可能被截断，请重新导出或复制。",
    ),
    "job.too_deep": ("JSON is nested more than {most} deep here", "此处 JSON 嵌套超过 {most} 层"),
    "job.too_deep.cure": (
        'Write ["A", "B"] or [{{"number": "A"}}].',
        '请写成 ["A", "B"] 或 [{{"number": "A"}}]。',
    ),
    "job.huge_value": (
        "there is a value here that is too large to be read",
        "此处的值过大，无法读取",
    ),
    "job.huge_value.cure": (
        "Remove it. A bill number has at most 80 characters.",
        "请删除。单据编号最多 80 个字符。",
    ),
    # -- single lines, which may be skipped ------------------------------------------------
    "job.empty": ("the bill number is empty", "单据编号为空"),
    "job.empty.cure": ("Remove the line or fill it in.", "请删除该行或补上编号。"),
    "job.comma": ("there is a comma in the bill number ({value})", "单据编号中有逗号（{value}）"),
    "job.comma.cure": ("Put each number on a line of its own.", "请将每个编号单独放在一行。"),
    "job.shortened": (
        "a spreadsheet has shortened the bill number to {value}, so that its last digits are lost",
        "单据编号被表格软件缩写为 {value}，末尾的数字已丢失",
    ),
    "job.shortened.cure": (
        "Format the column as text, and put the bill number in again.",
        "请将该列设为“文本”格式，然后重新填入编号。",
    ),
    "job.tab": (
        "there is a tab in the bill number ({value}), as between two cells",
        "单据编号中有制表符（{value}），可能是两个单元格连在了一起",
    ),
    "job.tab.cure": ("Put each number on a line of its own.", "请将每个编号单独放在一行。"),
    "job.control": (
        "there is an invisible character ({char}) in the bill number ({value})",
        "单据编号中有不可见字符 {char}（{value}）",
    ),
    "job.control.cure": ("Type the number again.", "请重新输入该编号。"),
    "job.apostrophe": (
        "the bill number begins with an apostrophe before a sign ({value}), which may be its own or a mark against formulas",
        "单据编号以撇号加符号开头（{value}），无法判断撇号属于编号，还是为防止公式而加",
    ),
    "job.apostrophe.cure": (
        "Give the list as JSON or JSONL, where a number is read as it is written, or as the CSV that k3push wrote, with all its columns.",
        "请改用 JSON 或 JSONL 清单（编号按原样读取），或使用 k3push 导出的 CSV，并保留其所有列。",
    ),
    "job.line_break": (
        "the bill number runs on to line {last} ({value})",
        "单据编号跨行，一直到第 {last} 行（{value}）",
    ),
    "job.line_break.cure": (
        "Remove the line break, or the quotation mark that was left open.",
        "请删除其中的换行，或删除未闭合的引号。",
    ),
    "job.too_long": (
        "the bill number has {length} characters, more than {most} ({value})",
        "单据编号有 {length} 个字符，超过 {most} 个（{value}）",
    ),
    "job.too_long.cure": ("Check that only the number is in the cell.", "请确认单元格中只有编号。"),
    "job.too_many_cells": (
        "the line has {cells} cells and the heading only {headings}",
        "该行有 {cells} 个单元格，而标题只有 {headings} 个",
    ),
    "job.too_many_cells.cure": (
        "Put quotation marks around cells that hold the delimiter.",
        "含有分隔符的单元格请加引号。",
    ),
    "job.stray_quote": (
        'there is text behind a closing quotation mark (")',
        '右引号（"）之后还有文字',
    ),
    "job.stray_quote.cure": (
        "Remove the quotation marks, or double those inside the cell.",
        "请删除引号，或将单元格内部的引号写成两个。",
    ),
    "job.bad_route": ("the route is not a name ({value})", "路线不是有效的名称（{value}）"),
    "job.bad_route.cure": (
        "Write the name of a route, or leave it empty.",
        "请填写路线名称，或留空。",
    ),
    "job.bad_id": ("the id is not a whole number ({value})", "内码不是整数（{value}）"),
    "job.bad_id.cure": (
        "Write the source bill's internal id (FID), or leave it empty.",
        "请填写源单内码（FID），或留空。",
    ),
    "job.not_a_number": ("the bill number is {value}, not text", "单据编号是 {value}，不是文本"),
    "job.not_a_number.cure": ("Write it in quotation marks.", "请将编号写在引号内。"),
    "job.plan": ("this is a plan, and no list", "这是计划文件，不是清单"),
    "job.plan.cure": (
        "Push it with `k3push apply`, or name its list.",
        "请用 `k3push apply` 执行，或改用原清单。",
    ),
    "job.no_key": (
        "none of the keys is known as the bill number ({keys})",
        "没有可识别为单据编号的键（{keys}）",
    ),
    "job.no_key.cure": (
        "Name the key with --column, or call it number.",
        "请用 --column 指定键名，或将该键改为 number。",
    ),
    "job.two_keys": ("more than one key could be meant ({keys})", "有多个键都符合（{keys}）"),
    "job.two_keys.cure": (
        "Name the right one with --column, or remove the others.",
        "请用 --column 指定正确的键，或删除其余的键。",
    ),
    "job.bad_record": ("the line is not valid JSON", "该行不是合法的 JSON"),
    "job.bad_record.cure": ("Correct or remove the line.", "请修正或删除该行。"),
    "job.number_cell": (
        "cell {cell} holds the number {value}, which Excel may have rounded: it keeps 15 digits, and no zeros at the end of a fraction",
        "单元格 {cell} 是数值 {value}，可能已被 Excel 改变：Excel 只保留 15 位有效数字，且不保留小数末尾的零",
    ),
    "job.number_cell.cure": (
        "Format the column as text, and put the bill number in again.",
        "请将该列设为“文本”格式，然后重新填入编号。",
    ),
    "job.shaped_cell": (
        "cell {cell} holds the number {value}, and its format shows zeros or words around it",
        "单元格 {cell} 的值是 {value}，但其数字格式还显示了零或文字",
    ),
    "job.shaped_cell.cure": (
        "Format the column as text, and put the bill number in again.",
        "请将该列设为“文本”格式，然后重新填入编号。",
    ),
    "job.date_cell": ("cell {cell} holds a date or a time", "单元格 {cell} 是日期或时间"),
    "job.date_cell.cure": (
        "Format the column as text, and put the bill number in again.",
        "请将该列设为“文本”格式，然后重新填入编号。",
    ),
    "job.truth_cell": (
        "cell {cell} holds TRUE or FALSE",
        "单元格 {cell} 是逻辑值（TRUE 或 FALSE）",
    ),
    "job.truth_cell.cure": (
        "Format the column as text, and put the bill number in again.",
        "请将该列设为“文本”格式，然后重新填入编号。",
    ),
    "job.error_cell": ("cell {cell} holds an error ({value})", "单元格 {cell} 是错误值（{value}）"),
    "job.error_cell.cure": ("Correct its formula, or remove the row.", "请修正公式，或删除该行。"),
    "job.no_result": (
        "cell {cell} holds a formula that was never worked out",
        "单元格 {cell} 中的公式没有计算结果",
    ),
    "job.no_result.cure": ("Open the workbook in Excel and save it.", "请用 Excel 打开后保存。"),
    "job.more_cells": (
        "cell {cell} holds something beside the number, and there is no line of headings",
        "编号之外的单元格 {cell} 也有内容，而表中没有标题行",
    ),
    "job.more_cells.cure": (
        "Put a line of headings above the numbers, or remove the other cells.",
        "请在编号上方加一行标题，或删除其他单元格的内容。",
    ),
}

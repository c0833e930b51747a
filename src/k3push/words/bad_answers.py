"""What is wrong with an answer of the ERP that is of no use."""

from __future__ import annotations

WORDS = {
    "answer.gzip": ("base64 of gzip: {why}", "gzip 的 base64：{why}"),
    "answer.packed_as": (
        "packed as {encoding!r}, which was not asked for",
        "压缩方式 {encoding!r} 不是所要求的",
    ),
    "answer.no_unpacking": ("it does not unpack: {why}", "无法解压：{why}"),
    "answer.too_large": ("it unpacks to more than {most} bytes", "解压后超过 {most} 字节"),
    "answer.too_long": ("more than {most} bytes", "超过 {most} 字节"),
    "answer.hung_up": (
        "hung up before any answer",
        "服务器未应答就关闭了连接",
    ),
    "answer.cut_off": ("it was cut off", "内容不完整"),
    "answer.no_result": ("JSON without a Result", "JSON 中没有 Result"),
    "answer.no_status": (
        "JSON without a ResponseStatus that says IsSuccess",
        "JSON 的 ResponseStatus 中没有 IsSuccess",
    ),
    "answer.no_words": ("refused without a word", "被拒绝，未说明原因"),
    "answer.no_entries": (
        "JSON that does not tell the tables of the form",
        "JSON 中没有该表单的单据体信息",
    ),
    "answer.no_rows": ("JSON that is no list of rows", "JSON 不是行的列表"),
    "answer.columns": (
        "a row that does not have {columns} columns",
        "有一行不是 {columns} 列",
    ),
    "answer.no_cell": ("a row with a list or an object in it", "有一行含列表或对象"),
    "answer.not_asked": (
        "rows that were not asked for: has the filter been passed over?",
        "有未查询的数据行：过滤条件是否未生效？",
    ),
    "answer.source_id": ("a source without an id", "有源单没有内码"),
    "answer.unordered": (
        "id {id} comes after {last}: rows are not in the order that was asked for",
        "内码 {id} 出现在 {last} 之后：数据行没有按要求排序",
    ),
    "answer.rule_number": ("a rule without its number", "有转换规则没有编码"),
    "answer.source_number": ("a source without its number", "有源单没有单据编号"),
    "answer.target_id": ("a target without an id", "有下游单据没有内码"),
    "answer.target_source": (
        "a target without the number of its source: may the user see that field?",
        "有下游单据没有源单编号：用户是否有权查看该字段？",
    ),
    "answer.no_query": (
        "JSON that is neither rows nor a known error",
        "JSON 既不是数据行，也不是已知的错误",
    ),
    "answer.no_id": (
        "{value!r}, which is neither an id nor a number",
        "{value!r} 既不是内码也不是编号",
    ),
    "answer.no_login": ("JSON that is no answer to a login", "JSON 不是登录的应答"),
    "answer.login_threw": ("an exception in the ERP: {why}", "ERP 出现异常：{why}"),
    "answer.login_wordless": ("it gave no reason ({what})", "未说明原因（{what}）"),
    "answer.session_id": (
        "its session id holds characters that cannot be sent back",
        "会话 id 含有无法回传的字符",
    ),
    "answer.session_useless": (
        "a session that was just opened is lost already: another program may log in as the same user, and each login ends the session before it; or the user or the application lacks a right; or the data centre is being restored",
        "刚登录 ERP 就报告会话丢失：可能另有程序用同一用户登录，后一次登录会使前一次的会话失效；也可能是用户或应用缺少权限，或数据中心正在恢复",
    ),
    "answer.sessions": (
        "{times} sessions were lost on one page",
        "查询一页时丢失了 {times} 次会话",
    ),
    "answer.links_of_some": (
        "{form}: the links were refused to {users}, and shown to another user",
        "{form}：{users} 查询关联关系被拒绝，而其他用户可以查询",
    ),
    "answer.told_and_refused": (
        "QueryBusinessInfo lists {field}, and queries refuse it: {why}",
        "QueryBusinessInfo 列出了 {field}，而查询拒绝该字段：{why}",
    ),
    "answer.pages_shifted": (
        "a page does not begin where the one before it ended: rows were deleted or changed in the meantime, or the server does not begin at StartRow",
        "分页不衔接：其间数据被删除或修改，或服务器没有按 StartRow 开始",
    ),
    "answer.not_by_id": (
        "the rows are not in the order of ids that was asked for, so nobody can say whether they are all",
        "返回的行没有按内码排序，无法确认是否为全部",
    ),
    "answer.pages_repeat": (
        "the server ignores StartRow and gives the same rows again, so nobody can say whether they are all",
        "服务器忽略 StartRow，重复给出相同的行，无法确认是否为全部",
    ),
    "answer.pages_endless": (
        "the rows have no end after {pages} pages",
        "查询 {pages} 页后仍未结束",
    ),
    "answer.app_id": (
        "erp.app_id is not of the form CLIENTID_SECRETPART",
        "erp.app_id 不是 CLIENTID_SECRETPART 的形式",
    ),
}

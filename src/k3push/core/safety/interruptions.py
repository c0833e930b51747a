"""Words by which an answer tells that a call was interrupted, so that its work may go on (rule 6).

Where a wait ended, a line broke or a session was ended, what was waited for may go on: the database
may commit long afterwards. The same holds for a transaction that was the victim of another, and
for a thread or a task that was stopped from outside. Databases, Windows, .NET and proxies say so in
whole phrases, which no business says of a bill; these count in an answer of any kind. Words that
are about business as well count in an exception only, or where they are the whole sentence.

A phrase that is missing here lets the parts of a call be sent again too early. One too many costs a
window of waiting, and nothing else. So a phrase that is about servers, lines, sessions or
transactions belongs here, whatever it says of them.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

# What is said to have happened to a line, a session or a process.
_ENDED = (
    "断开|关闭|中断|中止|终止|重置|重设|丢失|失效|异常|失败|故障|错误|占用|杀死|结束|退出|不可用"
)
_BY_NOW = "(已经|已被|已|被|正在|意外|突然|不再|的当前状态为已?|时?发生了?)*"

_TECHNICAL = re.compile(
    "|".join(
        [
            # A wait ended.
            r"(执行|等待|连接|请求|命令|查询|登录|响应)超时已(过期|到期)|超时(时间已|时段)",
            r"等待的操作(过时|超时)|执行逾时(到期|已)|等待资源超时|网关超时",
            r"未收到(任何)?(答复|响应|应答)|(服务器|主机|数据库|远程)[^,，。]{0,4}(未|没有|无)响应",
            r"(耗时|执行时间|处理时间|响应时间|等待时间)[过太]长",
            r"time-?\s?out (expired|period)|(execution|connection|request|gateway) time-?\s?out",
            r"(operation|request|wait|query|command|channel|connection) (has )?timed out",
            r"took too long|did(n't| not) receive an? (response|reply)|not responding",
            r"no (response|reply) (was )?(received )?from (the )?(server|host|remote|peer)",
            # A transaction was a victim, or nobody knows how it ended.
            r"死[锁结]|锁死|提交事务|事务[^,，。]{0,8}(中止|终止|有问题|不确定|不明|未知|回滚|不可用)|严重错误|服务调用失败",
            r"deadlock|severe error|\btransaction (has abort|is in doubt|was deadlocked)",
            r"\btransaction (has |was |is |been )*(terminat|rolled back|lost)",
            r"cancel+ing statement|不能再使用|no longer usable",
            # A line broke. There are goods called 连接器 and 网络交换机.
            rf"连[接线]{_BY_NOW}({_ENDED})|(无法|不能|未能)连接|连接尚?未(建立|打开)|基础连接",
            r"传输连接|物理连接|连接池",
            r"传输级|强[迫制]关闭|与数据库的连接|可用的 ?Connection|套接字|管道(已结束|的另一)",
            r"远[程端]主机",
            rf"网络(连接|通信|通讯)?{_BY_NOW}({_ENDED})|网络(名|路径|不通|不可达|超时)",
            r"通[信讯](异常|链[接路])",
            r"与网络相关的|虚拟电路|virtual circuit|远程过程调用|软件中止了|by the software in",
            r"I/O ?(操作|operation)",
            r"(?<!in )\bconnection\b.{0,24}\b(abort|broke|clos|lost|reset|drop|kill|terminat|fail)",
            r"(?<!in )\bconnection\b.{0,24}\b(refus|interrupt|not open|not available|unavailable)",
            r"lost connection|terminating connection|open and available connection",
            r"(unable|failed) to connect\b",
            r"transport connection|transport-level|communication link|forcibly closed",
            r"remote host|reset by peer",
            r"broken pipe|named pipe|end-of-file on communication|socket (error|operation|closed)",
            r"network[- ](name|path|related|error)|network (is )?(unreachable|down)|bad gateway",
            r"返回了?错误: ?\(5\d\d\)|returned an error: \(5\d\d\)|\bRPC\b|HTTP (错误|error) 5\d\d",
            # A session was ended.
            rf"会话(?!信息)[^,，。]{{0,6}}({_ENDED})|kill state|reuse a session",
            r"session (has been|was|is) (kill|terminat|marked)",
            # A server or a process goes down, or has too much to do.
            r"服务器(内部错误|太忙|很忙|正忙|繁忙|过载|正在)|internal server error|gone away",
            r"(系统|服务|应用|数据库|实例)正在(重启|重新启动|启动|停止|关闭|恢复)|SHUTDOWN 正在",
            r"server (is )?(too busy|overload|shutting)|shutting down|shutdown (is )?in progress",
            r"工作进程|应用程序池|(?<!生产)进程已?被(终止|中止|杀死)|worker process",
            r"application pool",
            r"(process|server|service) (was|is|has been|is being) (kill|restart|recycl)",
            # A thread or a task was stopped.
            r"中止线程|线程池|(线程|执行绪)被中[断止]|(线程|执行绪)已(终止|中止)|执行绪(已|正)",
            r"已取消一个(任务|工作)|操作已被用户取消|应用程序域|application domain|appdomain",
            r"thread was (being abort|interrupt)|\ba task was cancel",
            r"request was (abort|cancel)|请求被中止",
            r"\boperation cancel+ed by (the )?user",
            # The same as .NET names it, and as Oracle numbers it.
            r"(Timeout|Socket|Communication|Cancel+ed|HttpRequest|EndpointNotFound|Web)Exception",
            r"Thread(Abort|Interrupted)|Transaction(Aborted|InDoubt)|(ObjectDisposed|IO)Exception",
            r"ORA-(000(18|20|2[2-8]|60)|0060[03]|010(1[234]|3[34]|41|89|9[02])|02049|0239[1-9])",
            r"ORA-(03106|0311[34]|03135|12[1-6]\d\d|17002|17008|17410|2540[1-8])",
        ]
    ),
    re.IGNORECASE,
)

# Words that are about business as well (a date has passed, an order was cancelled): they count only
# in an exception. Oracle's driver and .NET call a time-out a cancelling; Windows says "过时". A
# server that reports an unknown or internal error does not know whether the work goes on.
_OF_TIME = re.compile(
    r"超时|逾时|过时|中止|任务被中断|繁忙|未知错误|内部(错误|异常)|服务失败|服务不可用|(任务|工作)已取消"
    r"|(操作|命令)[^,，。]{0,4}取消|(连[接线]|网络)[^,，。]{0,8}(断开|中断|重置)"
    r"|timed out|time-?\s?out|abort|busy|cancel|unknown error|internal error|unavailable"
    r"|(transaction|connection)\b.{0,30}\b(broken|reset|lost)",
    re.IGNORECASE,
)
# And these only where it is a plain exception: a business check may be thrown as MsgCode 4.
_OF_TIME_BARE = re.compile(r"取消|已过期|expired", re.IGNORECASE)

# Phrases that mean an interruption only as a whole sentence, as .NET and databases write them;
# inside a longer sentence they may be about business.
_WHOLE = re.compile(
    r"(该|此)?(操作|请求|调用|执行|查询|命令)(已|被|已被|已经)?(超时|逾时|取消|中断|中止)([，,；;].*)?"
    r"|连[接线]已?(经)?(断开|关闭|中断|中止)|超时|逾时|语句已?被?(终止|中止|取消)"
)

# Sites in Taiwan and Hong Kong speak of the same in traditional characters.
_SIMPLIFIED = str.maketrans(
    "鎖結執緒務連線斷開關閉時過請錯誤內伺強傳輸級於處個業資庫間網絡絕敗佔設訊對應遠機進狀態確嚴終無動會話異標軟體虛擬電遞協",
    "锁结执绪务连线断开关闭时过请错误内伺强传输级于处个业资库间网络绝败占设讯对应远机进状态确严终无动会话异标软体虚拟电递协",
)


def is_interrupted(messages: Sequence[str], beside: str = "", *, thrown: bool, bare: bool) -> bool:
    """Say whether the work of a call may still go on, though it was answered.

    Args:
        messages: What the answer says.
        beside: What an exception tells beside them: its kind, and where it was thrown.
        thrown: It is an exception, or may be one.
        bare: It is nothing but the text of an exception.

    >>> is_interrupted(["当前命令发生了严重错误。"], thrown=False, bare=False)
    True
    >>> is_interrupted(["单据审批已超时，不允许下推"], thrown=False, bare=False)
    False
    """
    sentences = [_plain(each).strip(" 。.!") for each in messages]
    if any(map(_WHOLE.fullmatch, sentences)):
        return True
    kinds = [_TECHNICAL]
    if thrown:
        kinds.append(_OF_TIME)
    if bare:
        kinds.append(_OF_TIME_BARE)
    words = " ".join(sentences)
    return any(kind.search(words) for kind in kinds) or bool(_TECHNICAL.search(_plain(beside)))


def _plain(words: str) -> str:
    """Return words in simplified characters of usual width, without the entities of a page."""
    return unicodedata.normalize("NFKC", html.unescape(words)).translate(_SIMPLIFIED)

"""Words by which an answer tells that a call was interrupted, so that its work may go on (rule 6).

Where a wait ended, a line broke or a session was ended, what was waited for may go on: the database
may commit long afterwards. The same holds for a transaction that was the victim of another, and
for a thread or a task that was stopped from outside. Databases, Windows, .NET and proxies say so in
whole phrases, which no business says of a bill; these count in an answer of any kind. Words that
are about business as well count in an exception only, or where they are the whole sentence.

A phrase that is missing here lets the parts of a call be sent again too early. One that business
says of a bill makes its call wait out the window, again and again, and its row end without the
ERP's reason. So only what is about servers, lines, sessions or transactions belongs here, in
phrases that no name of a firm or of goods holds.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# What is said to have happened to a line.
_ENDED = "断开|关闭|中断|中止|终止|重置|重设|丢失|失效|异常|失败|故障|错误|占用|不可用"
# Each of these begins otherwise, so that the search takes no longer than the text is long.
_BY_NOW = "(已经?|被|正在|意外|突然|不再|的当前状态为|时?发生了?)*"

_TECHNICAL = re.compile(
    "|".join(
        [
            # A wait ended.
            r"(执行|等待|连接|请求|命令|查询|登录|响应)超时已(过期|到期)|超时(时间已|时段)",
            r"(事务|语句|SQL|锁|数据库|连接|接口调用|服务调用|远程调用|会话)[^,，。]{0,4}超时",
            r"(read|connect|socket) ?time(d )?-?out|lock wait timeout|Redis",
            r"等待的操作(过时|超时)|执行逾时(到期|已)|等待资源超时|网关超时",
            r"[内中]未收到(任何)?(答复|响应|应答)",
            r"(服务器|主机|数据库)[^,，。]{0,4}(未|没有|无)(响应|回应)",
            r"(耗时|执行时间|处理时间|响应时间)[过太]长",
            r"time-?\s?out (expired|period)|(execution|connection|request|gateway) time-?\s?out",
            r"(operation|request|wait|query|command|channel|connection) (has )?timed out",
            r"took too long|did(n't| not) receive an? (response|reply)|not responding",
            r"no (response|reply) (was )?(received )?from (the )?(server|host|remote|peer)",
            # A transaction was a victim, or nobody knows how it ended. There are 事务所 (firms).
            r"死[锁结]|交易锁死|处理序[^,，。]{0,12}锁死|提交事务|事务提交失败",
            r"事务(?!所|类型)[^,，。]{0,8}(中止|终止|有问题|不确定|不明|未知|回滚|不可用|无法提交)",
            r"(事务|Transaction)[^。]{0,8}(它|能够)?(不能再使用|无法再使用)",
            r"transaction\b.{0,40}no longer usable",
            r"发生了?严重错误|严重错误[,，。]|severe error|服务调用失败|分布式事务|MSDTC",
            r"deadlock|\btransaction (has abort|is in doubt|was deadlocked)|could not serialize",
            r"\btransaction (has |was |is |been )*(terminat|rolled back|lost)|cancel+ing statement",
            # A line broke. There are goods called 连接器 and 网络交换机, and lines of a workflow.
            rf"(?<!流程)连[接线]{_BY_NOW}({_ENDED})|(无法|不能|未能)连[接线]|连接尚?未(建立|打开)",
            r"连接被(拒绝|对方|对端)|远程名称|remote name|SSL/TLS|安全通道|批处理已中止",
            r"基础连接(?![件板螺])|(从|的)传输连接|物理连接不|连[接线](池|集区)|连接数已达",
            r"传输(层)?级|强[迫制]关闭|与数据库的连接|数据库断开连接|可用的 ?Connection|套接字",
            r"管道(已结束|的另一)|远[程端]主机|远程过程调用|软件中止了|虚拟电路|与网络相关的",
            rf"网[络路](连接|通信|通讯|名称)?{_BY_NOW}({_ENDED})|网[络路]名不再|找不到网[络路]路径",
            r"网[络路](路径|不通|不可达|超时)|通[信讯](异常|链[接路])",
            r"(?<!in )(\b|[a-z])connection(?! plate)\b.{0,24}\b(abort|broke|clos|lost|reset|drop)",
            r"(?<!in )(\b|[a-z])connection\b.{0,24}\b(kill|terminat|fail|refus|interrupt)",
            r"(?<!in )\bconnection\b.{0,24}\b(not open|not available|unavailable)",
            r"clos\w+ (the )?connection",
            r"lost connection|terminating connection|open and available connection",
            r"no connection (is|could be)|not possible to connect|(unable|failed) to connect\b",
            r"transport connection|transport-level|communication link|forcibly closed",
            r"actively refused",
            r"remote host|reset by peer|broken pipe|named pipe|end-of-file on communication",
            r"socket (error|operation|closed)|network[- ](name|path|related|error)|virtual circuit",
            r"network (is )?(unreachable|down)|by the software in|I/O ?(操作|operation|error)",
            r"SSL SYSCALL",
            r"bad gateway|no live upstream|(返回|传回)了?(一个)?错误: ?\(5\d\d\)",
            r"HTTP (错误|error) 5\d\d",
            r"returned an error: \(5\d\d\)|\bRPC (服务器|server)|endpoint|终结点",
            r"error occurred while (receiving|making) the HTTP|faulted state|too many clients",
            # A session was ended.
            r"(您的|该|此|因为|数据库)会话(?!信息)[^,，。]{0,6}(断开|关闭|中断|中止|终止|失效|杀死)",
            r"会话(已(失效|断开|过期)|被强制下线)|session (terminated|expired)",
            r"kill state|reuse a session|session (has been|was|is) (kill|terminat|marked|closed)",
            # A server or a process goes down, or has too much to do.
            r"(内部服务器|服务器内部)错误",
            r"服务器(太忙|很忙|正忙|繁忙|忙[,，。]|过载|正在(关闭|重启|停止))",
            r"(服务器|数据库|数据库服务器)不可用|internal server error|gone away|服务已停止",
            r"系统正在(重启|重新启动)|服务正在停止|数据库( ?'[^']*')? ?正在(恢复|关闭|启动)",
            r"SHUTDOWN 正在",
            r"server (is )?(too busy|overload|shutting)|shutting down|shutdown (is )?in progress",
            r"database system is (starting|in recovery|shutting)|管理员命令",
            r"进程(崩溃|异常退出|意外终止)|server is (currently )?unable|服务器(当前)?无法处理",
            r"工作进程|应用程序池|worker process|application pool",
            r"(?<!生产)(?<!审批)进程( ?ID ?\d+ ?)?(已|意外)?被?(终止|中止|杀死)",
            r"process( ID \d+)? (was|is|has been) (kill|restart|recycl)",
            r"(server|service) (was|is|has been|is being) (kill|restart|recycl)",
            # A thread or a task was stopped, or an object was taken away.
            r"中止线程|线程池|(线程|执行绪)被(中[断止]|从等待)|(线程|执行绪)已(终止|中止)",
            r"执行绪(已|正)",
            r"已取消一个(任务|工作)|操作已被用户取消|应用程序域|application domain|appdomain",
            r"thread was (being abort|interrupt)|\ba task was cancel|\boperation cancel+ed by",
            r"the request was (abort|cancel)|请求被中止|已释放的对象|disposed object",
            r"failed on open",
            r"operation was interrupted|MQRC_CONNECTION",
            # The same as .NET names it, and as Oracle numbers it.
            r"(Timeout|Socket|Communication|Cancel+ed|HttpRequest|EndpointNotFound|Web)Exception",
            r"Thread(Abort|Interrupted)|Transaction(Aborted|InDoubt)|(ObjectDisposed|IO)Exception",
            r"ORA-0*((18|20|2[2-8]|60[03]?)|10(1[234]|3[34]|41|89|9[02])|1109|2049|205[14]|239[1-9])\b",
            r"ORA-0*(3106|311[34]|3120|3135|8177|16000|12[1-6]\d\d|17002|17008|17410|2540[1-8])\b",
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
    r"(该|此)?(操作|请求|调用|执行|查询|命令)(已经?)?被?(超时|逾时|取消|中断|中止)([，,；;].*)?"
    r"|连[接线]已?(经)?(断开|关闭|中断|中止)|超时|逾时|语句已?被?(终止|中止|取消)"
)

# Sites in Taiwan and Hong Kong speak of the same in traditional characters.
_SIMPLIFIED = str.maketrans(
    "鎖結執緒務連線斷開關閉時過請錯誤內伺強傳輸級於處個業資庫間網"
    "絡絕敗佔設訊對應遠機進狀態確嚴終無動會話異標軟體虛擬電遞協層區",
    "锁结执绪务连线断开关闭时过请错误内伺强传输级于处个业资库间网"
    "络绝败占设讯对应远机进状态确严终无动会话异标软体虚拟电递协层区",
)


LONGEST = 20_000
"""How much of a text is searched, in characters; an answer may be megabytes long."""


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
    return _is_interrupted(tuple(messages), beside, thrown=thrown, bare=bare)


# What was answered once is read back from the ledger, and judged, many times.
@lru_cache(maxsize=256)
def _is_interrupted(messages: tuple[str, ...], beside: str, *, thrown: bool, bare: bool) -> bool:
    sentences = [_plain(each).strip(" 。.!") for each in messages]
    if any(map(_WHOLE.fullmatch, sentences)):
        return True
    kinds = [_TECHNICAL]
    if thrown:
        kinds.append(_OF_TIME)
    if bare:
        kinds.append(_OF_TIME_BARE)
    words = " ".join(sentences)[:LONGEST]
    return any(kind.search(words) for kind in kinds) or bool(_TECHNICAL.search(_plain(beside)))


def _plain(words: str) -> str:
    """Return words in simplified characters of usual width, without the entities of a page."""
    words = unicodedata.normalize("NFKC", html.unescape(words[:LONGEST])).translate(_SIMPLIFIED)
    return words[:LONGEST].replace("伺服器", "服务器")

"""Which words tell that the work of a call may go on, and which are about business."""

from __future__ import annotations

import time

import pytest

from k3push.core.safety.interruptions import is_interrupted

TECHNICAL = [
    # SQL Server and its driver
    "当前命令发生了严重错误。如果有任何结果，也应放弃。",
    "A severe error occurred on the current command. The results, if any, should be discarded.",
    "无法继续执行，因为会话处于终止状态。",
    "Cannot continue the execution because the session is in the kill state.",
    "SHUTDOWN 正在进行。",
    "The connection is broken and recovery is not possible.",
    "在与 SQL Server 建立连接时出现与网络相关的或特定于实例的错误。",
    "A network-related or instance-specific error occurred while establishing a connection.",
    "该连接已被占用。",
    "ExecuteNonQuery 要求已打开且可用的 Connection。连接的当前状态为已关闭。",
    "ExecuteReader requires an open and available Connection.",
    "The client was unable to reuse a session with SPID 55, which had been reset.",
    "语句已终止。",
    # .NET and its transactions
    "事务处于不确定状态。",
    "该事务的状态不明确。",
    "此 SqlTransaction 已完成；它不能再使用。",
    "无法从传输连接中读取数据: 远程主机关闭了连接。",
    "此请求操作在 00:01:00 内未收到答复。",
    "远程服务器返回错误: (504) 网关超时。",
    "The remote server returned an error: (502) Bad Gateway.",
    "System.Net.Sockets.SocketException",
    "由于线程退出或应用程序请求，已中止 I/O 操作。",
    "请求被中止: 请求已被取消。",
    # Windows
    "指定的网络名不再可用。",
    "找不到网络路径。",
    "套接字操作遇到了一个已断开的网络。",
    "您的主机中的软件中止了一个已建立的连接。",
    "An established connection was aborted by the software in your host machine.",
    "虚拟电路被对方终止。",
    "RPC 服务器不可用。",
    "由于目标计算机积极拒绝，无法连接。",
    # Oracle, PostgreSQL and MySQL
    "ORA-00028: 您的会话己被终止",
    "ORA-12537: TNS:connection closed",
    "terminating connection due to administrator command",
    "canceling statement due to conflict with recovery",
    "Lost connection to MySQL server during query",
    "MySQL server has gone away",
    # servers and proxies
    "服务器太忙。",
    "系统正在重启",
    "服务正在停止",
    "数据库正在恢复",
    "进程被终止",
    "工作进程正在回收",
    "请求耗时过长",
    "处理时间过长",
    "网络连接异常",
    "网络通信异常",
    "連線已被重設",
    "HTTP error 503",
    "遠端主機已強制關閉一個現存的連線。",
    "通讯链接失败",
    "Communication link failure",
    "查询已被取消",
    "未能连接到数据库服务器",
    "连接池已满",
    "服务调用失败",
    "提交事务时发生错误",
    "交易鎖死",
    "內部伺服器錯誤",
    "網路連線異常",
    "傳回一個錯誤: (500) 內部伺服器錯誤",
    "server closed the connection unexpectedly",
    "由于管理员命令中断连接",
    "The OracleConnection is closed.",
    "ORA-3113: end of file",
    "进程 ID 55 已被终止",
    "数据库 'AIS2026' 正在恢复",
    "会话已失效",
    "锁等待超时",
    "Read timed out",
    "Lock wait timeout exceeded; try restarting transaction",
    "由于执行超时，连接被对方重置",
]

BUSINESS = [
    "物料“连接器”已失效，不允许下推",
    "物料“网络交换机”已禁用",
    "物料“服务器”已关闭",
    "服务器数量大于入库上限",
    "物料连接线不存在",
    "PVC管道已关闭",
    "连接件库存不足",
    "内存条库存不足",
    "物料正在回收",
    "未收到供应商回复，不允许下推",
    "单据正在被网络控制锁定",
    "网络控制冲突，单据正在编辑",
    "行业务终止，不允许下推",
    "源单行已终止",
    "生产进程已结束的订单不允许下推",
    "库存事务类型不允许",
    "会话信息已丢失，请重新登录",
    "违反了 PRIMARY KEY 约束“PK_X”。不能在对象中插入重复键。语句已终止。",
    "该单据正在被其他用户处理，请稍后重试",
    "数据库字段长度不足",
    "ORA-12899: value too large for column",
    "The approval process was terminated.",
    "in connection with the closed order A",
    "socket wrench is out of stock",
    "process order A is closed",
    "批号已冻结，不能再使用",
    "供应商“天健会计师事务所”已终止合作，不允许下推",
    "库存事务类型未知",
    "物料编码“RPC-001”已禁用",
    "价格已锁死，不允许修改",
    "期间正在关账，系统正在关闭账期，不允许下推",
    "系统正在恢复库存余额",
    "审批进程已被终止，不允许下推",
    "业务流程连线错误，不允许下推",
    "销售网络名称必录",
    "物料服务器正在检验，不允许入库",
    "基础连接件不存在",
    "工序等待时间过长，不允许汇报",
    "询价单未收到答复，不允许下推",
    "The lot is no longer usable.",
    "Purchase request was canceled",
    "单据审批已超时，不允许下推",
]


@pytest.mark.parametrize("words", TECHNICAL)
def test_what_no_business_says_is_an_interruption_with_any_code(words: str) -> None:
    """A plug-in may hand on an exception as what its check has found."""
    assert is_interrupted([words], thrown=False, bare=False)


@pytest.mark.parametrize("words", BUSINESS)
def test_what_business_says_of_a_bill_is_no_interruption(words: str) -> None:
    """There are goods called connectors, switches and servers."""
    assert not is_interrupted([words], thrown=False, bare=False)


def test_a_long_text_is_searched_in_no_time() -> None:
    """An answer may be megabytes long, and repeat what a phrase begins with."""
    began = time.perf_counter()
    for text in ("连接" + "已被" * 200_000, "connection " * 100_000, "事务" * 500_000):
        assert not is_interrupted([text], text, thrown=True, bare=True)
    assert time.perf_counter() - began < 10

"""Why the ERP makes nothing: its codes, its texts, and refusals that a trial asks for.

The real texts of a refused push are not known (P 5.13), so every text can be set, and
a client that leans on one of them is caught by setting another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class MsgCode(IntEnum):
    """The official table (P 4.3)."""

    DEFAULT = 0
    CONTEXT_LOST = 1
    NO_PERMISSION = 2
    NO_OPERATION_ID = 3
    EXCEPTION = 4
    NO_FORM_ID = 5
    DATABASE = 6
    LICENCE = 7
    BAD_PARAMETER = 8
    NO_SUCH_VALUE = 9
    NO_DATA = 10
    INVALID = 11
    NOT_OPERABLE = 12
    EDIT_LOCK = 13
    CALL_LIMIT = 14
    ADMINISTRATOR = 15


class OnRefusal(StrEnum):
    """What one bad source does to the others of its call (unknown of the real ERP)."""

    PARTIAL = "partial"
    """The others are made; the answer fails and names both."""

    SILENT = "silent"
    """The others are made; the answer succeeds and does not mention the bad one."""

    WHOLE = "whole"
    """Nothing of the call is kept."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of an answer's Errors.

    Attributes:
        code: The answer's MsgCode, if this is its first line.
        field: FieldName of the line, if there is one.
        index: DIndex of the line: the document's place in the database's order.
    """

    code: int
    text: str
    field: str | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A source bill that cannot be pushed, by order of the trial.

    Attributes:
        code: MsgCode.
        text: What the ERP says; ``{number}`` becomes the bill's number.
        saving: False: the conversion is refused. True: the target cannot be saved, so
            that it becomes a draft where the push allows drafts (P 5.7).
        whole_call: Whether nothing of the call is kept.
        thrown: Whether the server throws, so that the answer is `response_error:` text
            (P 1.10) and nothing of the call is kept.
        field: FieldName of the line, if there is one.
    """

    code: int
    text: str
    saving: bool = False
    whole_call: bool = False
    thrown: bool = False
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """What the ERP says; ``{number}``, ``{value}`` and the like are filled in."""

    session_lost: str = "会话信息已丢失，请重新登录"
    not_approved: str = "单据编号为“{number}”的{form}未审核，不能下推！"
    closed: str = "单据编号为“{number}”的{form}已关闭，不能下推！"
    cancelled: str = "单据编号为“{number}”的{form}已作废，不能下推！"
    fully_pushed: str = "单据编号为“{number}”的{form}没有可下推的数量！"
    not_submittable: str = (
        "单据编号为“{number}”的{form}，只有暂存、创建和重新审核的数据才允许提交！"
    )
    submit_first: str = "请先提交审核!"
    already_approved: str = "单据编号为“{number}”的{form}，单据已经审核！"
    approved_as_well: str = "单据编号为“{number}”的{form}，审核成功！"
    made_as_well: str = "单据编号为“{number}”的{form}，保存成功！"
    not_unapprovable: str = "单据编号为“{number}”的{form}，只有已审核的数据才允许反审核！"
    not_submitted: str = "单据编号为“{number}”的{form}，只有审核中的数据才允许撤销！"
    not_deletable: str = "单据编号为“{number}”的{form}，只有暂存、创建和重新审核的数据才允许删除！"
    in_flow: str = "单据编号为“{number}”的{form}，存在运行中的工作流实例，不允许执行此操作！"
    no_task: str = "单据编号为“{number}”的{form}，没有待处理的工作流任务！"
    not_his_task: str = "单据编号为“{number}”的{form}，当前用户不是任务处理人！"
    busy: str = "单据编号为“{number}”的{form}，后台处理尚未完成，请稍后再试！"
    no_rule: str = "没有可用的单据转换规则：{value}"
    no_default_rule: str = "未启用默认转换规则，转换规则内码（RuleId）必填"
    rule_disabled: str = "标识为“{value}”的单据转换规则在运行时不允许加载"
    no_such_number: str = '编码值["{number}"]不存在'
    no_such_id: str = '内码值["{number}"]不存在'
    nothing_named: str = "编码值或内码值必须传其一"
    no_such_form: str = "标识为“{value}”的业务对象不存在，或者被删除"
    no_such_field: str = "元数据中标识为{value}的字段不存在"
    no_field_keys: str = "data 数据包中的参数 FieldKeys 的值不能为空"
    bad_filter: str = "GetRealExpress error: {value}"
    filter_too_long: str = "查询处理器用尽了内部资源，无法生成查询计划。"
    no_permission: str = "当前用户没有此业务对象的权限"
    edit_lock: str = '"demo"使用业务单据："采购订单"业务操作-"[采购订单-修改]"冲突，请稍候再使用。'
    no_licence: str = "许可不足，请联系系统管理员"
    call_limit: str = "调用过于频繁，请稍后再试"
    login_refused: str = "用户未指定允许调用WebAPI接口，请联系系统管理员"
    exception: str = "未将对象引用设置到对象的实例。"
    database: str = "数据库操作失败"
    timed_out: str = (
        "执行超时已过期。完成操作之前已超时或服务器未响应。"
        " Execution Timeout Expired.  The timeout period elapsed prior to completion."
    )
    deadlock: str = (
        "事务(进程 ID 72)与另一个进程被死锁在 锁 资源上，并且已被选作死锁牺牲品。请重新运行该事务。"
    )
    interrupted: str = "已取消一个任务。"
    context_is_null: str = "Context Is Null"
    page: str = "金蝶云星空"

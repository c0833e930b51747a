"""What the operating system and the reader of TOML say in English, in Chinese."""

from __future__ import annotations

import errno
import os

_CHINESE = {
    errno.EACCES: "没有权限",
    errno.EPERM: "不允许此操作",
    errno.ENOENT: "文件或文件夹不存在",
    errno.EEXIST: "已存在",
    errno.ENOTDIR: "路径中有一部分不是文件夹",
    errno.EISDIR: "是文件夹，不是文件",
    errno.ENOSPC: "磁盘空间不足",
    errno.EROFS: "文件系统只读",
    errno.EFBIG: "文件过大",
    errno.EIO: "读写磁盘出错",
    errno.EMFILE: "打开的文件过多",
    errno.ENAMETOOLONG: "文件名过长",
    errno.ELOOP: "链接层数过多",
    errno.EADDRINUSE: "地址已被占用",
    errno.EADDRNOTAVAIL: "本机没有此地址",
}

_OF_TOML = {
    "Invalid value": "值无效；文本须加引号",
    "Invalid statement": "该行不是“键 = 值”，也不是 [节名]",
    "Expected '=' after a key in a key/value pair": "键的后面没有 =",
    "Expected newline or end of document after a statement": "值的后面还有多余内容",
    "Expected ']' at the end of a table declaration": "节名没有以 ] 结束",
    "Cannot overwrite a value": "同一个键写了两次",
    "Unclosed array": "列表没有以 ] 结束",
    "Unclosed inline table": "缺少 }",
    "Illegal character '\\n'": "引号在行末之前没有闭合",
    "Unterminated string": "引号没有闭合",
    "Invalid hex value": "引号内的 \\ 须写成 \\\\，或改用单引号",
    "Unescaped '\\' in a string": "引号内的 \\ 须写成 \\\\，或改用单引号",
}

IN_CHINESE = {os.strerror(number): words for number, words in _CHINESE.items()} | _OF_TOML
"""By what they say."""

"""What the operating system says of files and addresses, in Chinese; it says it in English."""

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

IN_CHINESE = {os.strerror(number): words for number, words in _CHINESE.items()}
"""By what the system says."""

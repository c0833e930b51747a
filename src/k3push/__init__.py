"""Bulk push-down (单据下推) for Kingdee K/3 Cloud, never twice."""

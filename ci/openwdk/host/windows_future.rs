//! Replaces `windows-future`, an unused dependency of `windows` that does not compile on Linux.

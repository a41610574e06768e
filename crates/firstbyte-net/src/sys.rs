//! The system calls that no dependency offers. The only unsafe code of the crate.
//!
//! A descriptor that is closed, or no socket, is an error here and never undefined behaviour; that
//! it is still the socket that was meant is up to the caller.
#![allow(unsafe_code)]

use std::{io, mem, os::fd::RawFd, ptr, time::Duration};

use tokio::io::ReadBuf;

/// The kernel's `struct tcp_info`, as far as anything here reads it.
///
/// The kernel only ever appends to it, and fills as much as it knows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawTcpInfo {
    pub(crate) state: u8,
    ca_state: u8,
    pub(crate) retransmits: u8,
    pub(crate) probes: u8,
    pub(crate) backoff: u8,
    options: u8,
    window_scales: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    pub(crate) unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last_data_sent: u32,
    last_ack_sent: u32,
    pub(crate) last_data_recv: u32,
    pub(crate) last_ack_recv: u32,
    pmtu: u32,
    rcv_ssthresh: u32,
    pub(crate) rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    pub(crate) bytes_acked: u64,
    pub(crate) bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    pub(crate) notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: u32,
    delivered_ce: u32,
    pub(crate) bytes_sent: u64,
}

/// `getsockopt(TCP_INFO)`: the structure, and how many of its bytes the kernel filled.
pub(crate) fn tcp_info(fd: RawFd) -> io::Result<(RawTcpInfo, usize)> {
    let mut info = RawTcpInfo::default();
    let mut len = mem::size_of::<RawTcpInfo>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, the size of `info`, which is plain integers;
    // both pointers are to live locals.
    let rc = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            ptr::from_mut(&mut info).cast(),
            &mut len,
        )
    };
    check(rc as isize)?;
    Ok((info, len as usize))
}

/// `ioctl(SIOCOUTQ)`: bytes in the send queue that the peer has not acknowledged.
pub(crate) fn unacked_bytes(fd: RawFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ (SIOCOUTQ's other name) writes one int to the pointer, which is to a live one.
    let rc = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &mut bytes) };
    check(rc as isize)?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// `setsockopt(SO_TIMESTAMPNS)`: whether received data is stamped with the wall clock.
pub(crate) fn stamp_received(fd: RawFd, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    // SAFETY: the option takes an int, and `on` is one, alive during the call.
    let rc = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            ptr::from_ref(&on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    check(rc as isize).map(drop)
}

/// Room for one control message with a time stamp, aligned as `cmsghdr` wants it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// `recvmsg` into the unfilled part of `buf`.
///
/// Returns the number of bytes read, 0 at the end of the stream, and when the newest of them
/// reached this machine, since the Unix epoch, if the kernel stamped it.
pub(crate) fn receive(fd: RawFd, buf: &mut ReadBuf<'_>) -> io::Result<(usize, Option<Duration>)> {
    let mut control = Control([0; 64]);
    // SAFETY: the buffer is only handed to the kernel, which writes initialised bytes to it and
    // never takes any back.
    let unfilled = unsafe { buf.unfilled_mut() };
    let mut iov = libc::iovec { iov_base: unfilled.as_mut_ptr().cast(), iov_len: unfilled.len() };
    // SAFETY: all-zero bytes are a valid `msghdr`; some targets have private padding in it, so it
    // cannot be written as a literal.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;

    // SAFETY: `message` describes `unfilled` and `control`, both alive and writable with the
    // lengths given.
    let read = check(unsafe { libc::recvmsg(fd, &mut message, 0) })?;
    // SAFETY: the kernel has written `read` bytes at the start of the unfilled part.
    unsafe { buf.assume_init(read) };
    buf.advance(read);
    Ok((read, stamp(&message)))
}

/// The time stamp among the control messages.
fn stamp(message: &libc::msghdr) -> Option<Duration> {
    // SAFETY: `message` comes from a successful recvmsg whose control buffer is still alive, so
    // the CMSG macros walk headers that the kernel wrote inside of it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: not null, hence a header in the control buffer.
        let header = unsafe { &*next };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: the payload of this message is one timespec; it may be unaligned.
            let time = unsafe { libc::CMSG_DATA(next).cast::<libc::timespec>().read_unaligned() };
            let nanos = u32::try_from(time.tv_nsec).ok()?;
            return Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanos));
        }
        // SAFETY: as above.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    None
}

fn check(rc: isize) -> io::Result<usize> {
    usize::try_from(rc).map_err(|_| io::Error::last_os_error())
}

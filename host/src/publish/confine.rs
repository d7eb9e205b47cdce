//! What the compile child gives up before it reads a component: should the component get
//! the better of the compiler or the sandbox, it finds a process without files, sockets,
//! credentials or other processes.
//!
//! Each measure is taken where the system allows it. The parent clears the environment,
//! passes on only the pipes, and hides its own memory and environment: see
//! [`hide_this_process`].

use std::collections::BTreeMap;
use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Gid, Uid, geteuid, getpid, set_dumpable_behavior};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::plugin::TARGET;

/// The user and group `nobody`, by convention.
const NOBODY: u32 = 65534;
/// EPERM, which a forbidden system call returns.
const NOT_PERMITTED: u32 = 1;

/// System calls that reach other processes, the network or the kernel's own programs. No
/// compilation or mapping needs one.
const FORBIDDEN: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_add_key,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_connect,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_kill,
    libc::SYS_listen,
    libc::SYS_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_request_key,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setns,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_tkill,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// What could be given up on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The process belongs to `nobody`. Only root can do that.
    pub user: bool,
    /// No file can be opened (Landlock, Linux 5.13).
    pub files: bool,
    /// No socket, no other process (seccomp).
    pub system_calls: bool,
}

/// Confines this process, which must have one thread, for good.
pub fn confine() -> Confinement {
    Confinement {
        user: become_nobody().is_ok(),
        files: without_files(),
        system_calls: filter().is_some_and(|filter| apply_filter(&filter).is_ok()),
    }
}

/// Hides this process's memory, environment and files from others of the same user, and
/// marks its open files as closed on exec.
pub(super) fn hide_this_process() {
    // Best effort: where it fails, the child still has its other limits.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    close_fds::set_fds_cloexec(3, &[]);
}

fn become_nobody() -> io::Result<()> {
    if !geteuid().is_root() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    set_thread_groups(&[])?;
    set_thread_gid(Gid::from_raw(NOBODY))?;
    set_thread_uid(Uid::from_raw(NOBODY))?;
    Ok(())
}

fn without_files() -> bool {
    let abi = ABI::V6;
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

fn filter() -> Option<BpfProgram> {
    let mut rules: BTreeMap<_, _> = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    // A process may end itself by a signal, and limit itself.
    let own = u64::try_from(getpid().as_raw_nonzero().get()).ok()?;
    rules.insert(libc::SYS_tgkill, vec![unless_first_is(&[own])?]);
    rules.insert(libc::SYS_prlimit64, vec![unless_first_is(&[0, own])?]);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(NOT_PERMITTED),
        TARGET.split('-').next()?.try_into().ok()?,
    );
    filter.ok()?.try_into().ok()
}

/// Matches a call whose first argument is none of these.
fn unless_first_is(values: &[u64]) -> Option<SeccompRule> {
    let conditions = values.iter().map(|value| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *value).ok()
    });
    SeccompRule::new(conditions.collect::<Option<_>>()?).ok()
}

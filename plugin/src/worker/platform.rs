//! What needs the operating system: a low thread priority, and keeping the library in memory.

/// Gives the calling thread a low priority.
pub fn lower_priority() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: plain system calls; on Linux "process" 0 with a thread's own id means this thread only.
        unsafe {
            let thread = libc::syscall(libc::SYS_gettid) as libc::id_t;
            libc::setpriority(libc::PRIO_PROCESS, thread, 10);
        }
    }
    #[cfg(target_os = "macos")]
    {
        // SAFETY: changes the calling thread's class and reads no memory of ours.
        unsafe {
            libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
        }
    }
    #[cfg(windows)]
    {
        use windows_sys::Win32::System::Threading::{
            GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_BELOW_NORMAL,
        };
        // SAFETY: the pseudo handle of the calling thread is always valid.
        unsafe {
            SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
        }
    }
}

/// Keeps this library in memory until the process ends: the code of a running thread must not be unmapped.
pub fn pin_library() {
    #[cfg(unix)]
    {
        // SAFETY: `dladdr` fills `info` or returns 0; the name that it gives lives as long as the library does.
        // Opening an already loaded library again only adds a reference, and RTLD_NODELETE keeps it for good.
        unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            if libc::dladdr(pin_library as *const () as *const libc::c_void, &mut info) != 0
                && !info.dli_fname.is_null()
            {
                libc::dlopen(info.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
        }
    }
    #[cfg(windows)]
    {
        use windows_sys::Win32::System::LibraryLoader::{
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
        };
        let mut module = std::ptr::null_mut();
        // SAFETY: with FROM_ADDRESS the name is taken as an address within the module, not read as a string.
        unsafe {
            GetModuleHandleExW(
                GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                pin_library as *const () as *const u16,
                &mut module,
            );
        }
    }
}

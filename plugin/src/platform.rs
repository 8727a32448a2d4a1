//! What needs the operating system: a low thread priority, keeping the library in memory, and where it is.

use std::path::PathBuf;

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

/// The file of this library (in a program that has it built in, of that program); none where the system does not say.
pub fn library_path() -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: `dladdr` fills `info` or returns 0; the name that it gives lives as long as the library does.
        let name = unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            let is_known = libc::dladdr(library_path as *const () as *const libc::c_void, &mut info) != 0;
            (is_known && !info.dli_fname.is_null()).then(|| std::ffi::CStr::from_ptr(info.dli_fname))?
        };
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes())))
    }
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStringExt;
        use windows_sys::Win32::System::LibraryLoader::{
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
            GetModuleFileNameW, GetModuleHandleExW,
        };
        let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
        let (mut module, mut name) = (std::ptr::null_mut(), [0u16; 1024]);
        // SAFETY: with FROM_ADDRESS the name is taken as an address within the module; the buffer has the length that is given.
        let length = unsafe {
            GetModuleHandleExW(flags, library_path as *const () as *const u16, &mut module);
            GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) as usize
        };
        (length > 0 && length < name.len()).then(|| std::ffi::OsString::from_wide(&name[..length]).into())
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

//! Tests with other implementations, both ways, on 127.0.0.1: this library's controller, on tokio and on its own poll
//! thread, with their devices, and their clients with this library's device.
//!
//! | variable | names |
//! |---|---|
//! | `RUSTUYA_INTEROP_PYTHON` | a Python that has tinytuya |
//! | `RUSTUYA_INTEROP_NODE_MODULES` | the folder of Node packages that holds tuyapi and `@tuyapi/stub` |
//! | `RUSTUYA_INTEROP_BINARY` | the `rustuya` program |

mod cloud;
mod controller;
mod process;
mod tinytuya;
mod tuyapi;

use core::time::Duration;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &str = "0123456789abcdef";
const ODD_KEY: &str = "x'$]a{7~&Z<q#9!?";
const CHILD: &str = "a4c1380123456789";
/// Time limit of every wait.
const LIMIT: Duration = Duration::from_secs(40);

//! Steps that run other implementations.

use anyhow::Result;

use crate::context::Context;
use crate::tools;

pub(super) fn vectors(context: &Context) -> Result<String> {
    let python = tools::python(context)?;
    context.shell(python).args(["vectors/regenerate.py", "--check"]).run()?;
    Ok("regenerated, equal".to_owned())
}

pub(super) fn interop(context: &Context) -> Result<String> {
    let python = tools::python(context)?;
    let node_modules = tools::node_modules(context)?;
    tools::need_compiler(context)?;
    // tinytuya's two scripts must understand each other before either is used to judge this library.
    context.shell(&python).arg("tests/interop/selftest.py").run()?;
    context.cargo().args(["build", "--locked", "--workspace", "--bin", "rustuya"]).run()?;
    let binary = context.target.join("debug").join(format!("rustuya{}", std::env::consts::EXE_SUFFIX));
    context
        .cargo()
        .args(["test", "--locked", "--workspace", "--test", "interop"])
        .args(["--", "--include-ignored"])
        .env("RUSTUYA_INTEROP_PYTHON", &python)
        .env("RUSTUYA_INTEROP_NODE_MODULES", &node_modules)
        .env("RUSTUYA_INTEROP_BINARY", &binary)
        .run()?;
    Ok("tinytuya and tuyapi, both ways".to_owned())
}

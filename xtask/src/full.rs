//! What `cargo xtask test --full` adds: tests that need something the repository cannot hold, or a long time.

use crate::Result;
use crate::bundle::built_library;
use crate::cargo::{cargo, finish, target};
use crate::report::Report;

/// A test outside the usual run.
struct Extra {
    name: &'static str,
    /// For a person: what it shows.
    purpose: &'static str,
    /// The environment variable that it needs, and what that names.
    needs: Option<(&'static str, &'static str)>,
    run: Run,
}

/// How an extra test runs.
enum Run {
    /// Cargo with these arguments.
    Cargo(&'static [&'static str]),
    Call(fn() -> Result<()>),
}

impl Run {
    fn run(&self, name: &str) -> Result<()> {
        match self {
            Run::Cargo(args) => {
                let mut command = cargo(args);
                command.env("CI", "true");
                finish(command, name)
            }
            Run::Call(call) => call(),
        }
    }
}

/// All of them. A new one gets a row here and in `tests/README.md`.
const EXTRAS: &[Extra] = &[
    Extra {
        name: "debug-allocs",
        purpose: "the CLAP in its host, on a debug build that aborts when the audio callback allocates",
        needs: None,
        run: Run::Call(debug_allocs),
    },
    Extra {
        name: "heads",
        purpose: "files with damaged heads, very many: no panic and no memory without bound",
        needs: Some(("MIXING_BUDDY_FUZZ_CASES", "a number of files, such as 1000000 (about ten minutes)")),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "audio_fuzz", "--", "--ignored"]),
    },
    Extra {
        name: "gguf",
        purpose: "damaged heads of GGUF files, very many: no panic and no memory beyond the file's size",
        needs: Some(("MIXING_BUDDY_FUZZ_CASES", "a number of heads, such as 1000000 (about a minute)")),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "qwen2_fuzz"]),
    },
    Extra {
        name: "qwen2-model",
        purpose: "logits and text of a pretrained Qwen2 0.5B, against candle and llama.cpp",
        needs: Some(("MIXING_BUDDY_QWEN2_GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "qwen2",
            "--",
            "--ignored",
            "--nocapture",
            "real::",
        ]),
    },
    Extra {
        name: "oracle",
        purpose: "the oracle's rule and the fit of the norms, on the published table of levels",
        needs: Some((
            "MIXING_BUDDY_SHARED",
            "a folder with norms/musdb18_stem_levels.csv, the levels of MUSDB18's stems",
        )),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--no-fail-fast",
            "--test",
            "oracle_bound",
            "--test",
            "oracle_fit",
        ]),
    },
    Extra {
        name: "inputs",
        purpose: "damaged and random adapters, indices and metadata of songs",
        needs: Some((
            "MIXING_BUDDY_FUZZ_CASES",
            "a number of inputs per reader, such as 1000000 (about two minutes)",
        )),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "fuzz_inputs",
            "--",
            "--ignored",
            "--nocapture",
        ]),
    },
    Extra {
        name: "state",
        purpose: "damaged and random texts in place of a project's state",
        needs: Some(("MIXING_BUDDY_FUZZ_CASES", "a number of texts, such as 1000000 (about two minutes)")),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "state_fuzz", "--", "--ignored"]),
    },
    Extra {
        name: "judge",
        purpose: "a pretrained Qwen2 as judge of good and of planted bad advice",
        needs: Some(("MIXING_BUDDY_QWEN2_GGUF", "a Qwen2 as a GGUF file")),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "judge_local",
            "--",
            "--ignored",
            "--nocapture",
        ]),
    },
    Extra {
        name: "judge-server",
        purpose: "a real server as judge of good and of planted bad advice",
        needs: Some(("MIXING_BUDDY_JUDGE_URL", "the base URL of an OpenAI-compatible server with a model")),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "judge_endpoint",
            "--",
            "--ignored",
            "--nocapture",
        ]),
    },
    Extra {
        name: "similarity",
        purpose: "sentence embeddings of the real model against an independent implementation",
        needs: Some((
            "MIXING_BUDDY_MINILM",
            "a folder with all-MiniLM-L6-v2 (config.json, tokenizer.json, model.safetensors)",
        )),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "words_and_page", "--", "--ignored"]),
    },
    Extra {
        name: "onnx",
        purpose: "a separator as an ONNX file, in a build with ONNX Runtime",
        needs: Some((
            "MIXING_BUDDY_ONNXRUNTIME",
            "ONNX Runtime's library, such as onnxruntime/capi/libonnxruntime.so.1.* of PyPI's onnxruntime",
        )),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "mixing-buddy-trainer/onnx",
            "--test",
            "onnx_separator",
        ]),
    },
    Extra {
        name: "serve-load",
        purpose: "the web page's server with fifty clients for two minutes; the time of a song of four minutes",
        needs: None,
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "serve_load",
            "--",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]),
    },
    Extra {
        name: "axe",
        purpose: "the web page for people with a keyboard or a screen reader, as axe judges it",
        needs: Some(("MIXING_BUDDY_AXE", "axe.min.js, such as the one in PyPI's axe-playwright-python")),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "page", "--", "--ignored"]),
    },
    Extra {
        name: "schemathesis",
        purpose: "the web page's API against its description",
        needs: Some(("MIXING_BUDDY_SCHEMATHESIS", "the program schemathesis, from PyPI")),
        run: Run::Cargo(&["test", "--release", "--workspace", "--test", "refused", "--", "--ignored"]),
    },
    Extra {
        name: "mpi",
        purpose: "training in many processes, killed and resumed, in a build with MPI",
        needs: None,
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "mixing-buddy-trainer/mpi",
            "--test",
            "train_ranks",
        ]),
    },
    Extra {
        name: "ebu",
        purpose: "the loudness meters on the EBU's own files",
        needs: Some((
            "MIXING_BUDDY_EBU",
            "the folder of the EBU's loudness test set (seq-3341-1-16bit.wav, ...)",
        )),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--test",
            "loudness",
            "--",
            "--ignored",
            "--nocapture",
        ]),
    },
    Extra {
        name: "mpi-kills",
        purpose: "a run in many processes of which twenty are killed at random moments",
        needs: None,
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "mixing-buddy-trainer/mpi",
            "--test",
            "train_ranks",
            "--",
            "--ignored",
            "--nocapture",
        ]),
    },
    Extra {
        name: "stores",
        purpose: "songs out of an object store and over HTTP, in a build with stores",
        needs: Some(("MIXING_BUDDY_MOTO", "the program moto_server, of PyPI's moto[server,s3]")),
        run: Run::Cargo(&[
            "test",
            "--release",
            "--workspace",
            "--features",
            "mixing-buddy-trainer/stores",
            "--test",
            "prepare_stores",
        ]),
    },
    Extra {
        name: "qlora-model",
        purpose: "training steps on a quantized Qwen2 of half a billion weights",
        needs: Some(("MIXING_BUDDY_QWEN_GGUF", "the model Qwen2 0.5B as a GGUF file")),
        run: Run::Cargo(&["bench", "--workspace", "--bench", "qlora_model"]),
    },
];

/// For `--help`: each extra test with what it needs.
pub(crate) fn list() -> String {
    EXTRAS
        .iter()
        .map(|extra| {
            let needs = extra
                .needs
                .map_or(String::new(), |(variable, what)| format!("{:15} needs {variable}: {what}\n", ""));
            format!("  {:12} {}\n{needs}", extra.name, extra.purpose)
        })
        .collect()
}

/// Refuses a name that is not in the table.
///
/// # Errors
/// When there is such a name; the sentence lists those that exist.
pub(crate) fn check_names(names: &[String]) -> Result<()> {
    match names.iter().find(|name| EXTRAS.iter().all(|extra| extra.name != name.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            let names: Vec<&str> = EXTRAS.iter().map(|extra| extra.name).collect();
            Err(format!("--full has no test '{unknown}'. It has {}.", names.join(", ")))
        }
    }
}

/// Runs the extra tests of these names, or all if there are none. One whose variable is not set is skipped. Before the
/// first that runs, `prepare` is called.
pub(crate) fn run(names: &[String], report: &mut Report, prepare: fn()) {
    let mut is_prepared = false;
    for extra in EXTRAS.iter().filter(|extra| names.is_empty() || names.iter().any(|name| name == extra.name))
    {
        match extra.needs {
            Some((variable, what)) if std::env::var_os(variable).is_none() => {
                report.skip(extra.name, format!("{variable} is not set ({what})"));
            }
            _ => {
                if !std::mem::replace(&mut is_prepared, true) {
                    prepare();
                }
                report.run(extra.name, || extra.run.run(extra.name));
            }
        }
    }
}

fn debug_allocs() -> Result<()> {
    // A folder of its own: builds of one library with different features must not overwrite each other.
    let folder = target().join("debug-allocs");
    let mut build = cargo(&["build", "--package", "mixing-buddy", "--features", "assert_process_allocs"]);
    build.arg("--target-dir").arg(&folder);
    finish(build, "The debug build")?;
    let library = built_library(true);
    let name = library.file_name().unwrap_or_default();
    // The whole workspace, as always: with one package, features unify differently and candle is compiled again.
    let mut command = cargo(&["test", "--release", "--workspace", "--test", "clap_audio"]);
    command.args(["--test", "clap_advice"]).env("CI", "true");
    command.env("MIXING_BUDDY_TEST_LIBRARY", folder.join("debug").join(name));
    finish(command, "The test run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extra_test_is_in_the_readme_of_the_tests() {
        let path = crate::cargo::root().join("tests/README.md");
        let readme = std::fs::read_to_string(path).expect("tests/README.md is in the repository");
        for extra in EXTRAS {
            assert!(readme.contains(&format!("| `{}` |", extra.name)), "{}", extra.name);
            if let Some((variable, _)) = extra.needs {
                assert!(readme.contains(&format!("`{variable}`")), "{variable}");
            }
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        assert_eq!(check_names(&["oracle".into()]), Ok(()));
        let error = check_names(&["oracles".into()]).expect_err("no such test");
        assert!(error.contains("'oracles'") && error.contains("debug-allocs, heads"), "{error}");
    }
}

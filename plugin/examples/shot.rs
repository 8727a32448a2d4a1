//! Draws the panel's states as PNG files, without a window, and writes the page of a report: `shot OUTDIR [NAME…]`. The page is
//! called `report`.

#[path = "../tests/panel/stage/mod.rs"]
mod stage;

use mixing_buddy::report;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let out = PathBuf::from(arguments.next().ok_or("an output folder is missing: shot OUTDIR [NAME…]")?);
    let wanted: Vec<String> = arguments.map(|name| name.to_string_lossy().into_owned()).collect();
    std::fs::create_dir_all(&out)?;
    let mut drawn = 0;
    for scene in stage::scenes::all() {
        let name = scene.name;
        if !wanted.is_empty() && !wanted.iter().any(|each| each == name) {
            continue;
        }
        let image = stage::stage(scene).render()?;
        let path = out.join(format!("{name}.png"));
        image.save(&path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        drawn += 1;
    }
    if wanted.is_empty() || wanted.iter().any(|each| each == "report") {
        let path = out.join("report.html");
        mixing_buddy_core::report::write(
            &path,
            report::html(&stage::scenes::advice().view, "My song").as_bytes(),
        )?;
        drawn += 1;
    }
    if drawn == 0 {
        return Err(format!("there is no state named {}", wanted.join(" or ")).into());
    }
    eprintln!("{drawn} pictures saved in {}", out.display());
    Ok(())
}

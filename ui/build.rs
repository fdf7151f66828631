//! Tells cargo to embed again when the web app was built again. The folder is always there: it holds a committed, empty `.gitkeep`.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}

// The page: its runs, its theme, and a live page's news.

let runs = [];

function theme(name) {
  document.documentElement.dataset.theme = name;
  runs.forEach(run => run.redraw());
  redraws.forEach(draw => draw());
}
function start() {
  redraws = [];
  runs.forEach(run => run.destroy());
  const data = JSON.parse(document.getElementById("data").textContent);
  runs = [...document.querySelectorAll("section.run")].map(
    section => new Run(section, data[+section.dataset.run], +section.dataset.run));
}
const dark = matchMedia("(prefers-color-scheme: dark)");
const usual = () => (dark.matches ? "dark" : "light");
theme(usual());
dark.addEventListener("change", () => theme(usual()));
const toggle = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
document.getElementById("theme").addEventListener("click", toggle);
document.addEventListener("keydown", event => {
  if (event.key === "t" && !(event.target instanceof HTMLInputElement)) toggle();
});
let before = null;
addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; theme("light"); });
addEventListener("afterprint", () => theme(before || usual()));
let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => runs.forEach(run => run.resize()), 100);
});
start();

if (document.body.dataset.live === "yes") {
  const said = document.getElementById("live");
  const opened = () => [...document.querySelectorAll("main details")];
  let known = "";
  setInterval(async () => {
    if (document.activeElement instanceof HTMLInputElement) return;  // somebody types or slides
    let answer;
    try {
      answer = await fetch(location.href, {headers: {"If-None-Match": known}});
    } catch {
      said.textContent = "cosim watch has ended; this is its last page";
      return;
    }
    said.textContent = "live";
    if (!answer.ok || answer.status === 304) return;
    known = answer.headers.get("ETag") || "";
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = opened().map(one => one.open);
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    document.querySelector(".verdicts").replaceWith(fresh.querySelector(".verdicts"));
    if (opened().length === open.length) opened().forEach((one, i) => { one.open = open[i]; });
    start();
  }, 1000);
}

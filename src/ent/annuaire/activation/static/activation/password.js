// The password rule, shown as kept or not while one types. Nothing depends on it:
// the server and the directory check again. Characters are counted as Python does.
"use strict";

const field = document.getElementById("id_password");
const rule = document.getElementById("regle");
const status = rule.querySelector("[role=status]");
const checks = {
  length: (text) => [...text].length >= 6,
  letter: (text) => /[A-Za-z]/.test(text),
  digit: (text) => /[0-9]/.test(text),
};

function show() {
  let all = true;
  for (const item of rule.querySelectorAll("[data-rule]")) {
    const kept = checks[item.dataset.rule](field.value);
    item.classList.toggle("kept", kept);
    all = all && kept;
  }
  status.textContent = all ? status.dataset.all : "";
}

rule.hidden = false;
field.addEventListener("input", show);
show();

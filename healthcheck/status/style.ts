/** The page's whole style: no files, no fonts, nothing from elsewhere. Colours reach a contrast of 4.5 in both schemes. */
export const style = `
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2226;--soft:#5b646b;--line:#e3e5e6;--ok:#1f7a4d;--okbar:#3fa274;--warn:#8a5a00;--warnbar:#e0a42c;--bad:#b3261e;--badbar:#d9534a;--plan:#2f5fa8;--planbar:#6f97d3;--none:#d5d9db}
@media(prefers-color-scheme:dark){:root{--bg:#14181b;--card:#1b2125;--ink:#e8eaec;--soft:#a3adb4;--line:#2c3439;--ok:#6ccf9b;--okbar:#3f9b6d;--warn:#f0bf5a;--warnbar:#c98f1f;--bad:#ff8f86;--badbar:#d4574e;--plan:#9bbcf0;--planbar:#5f86c0;--none:#3a4349}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:52rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
h1{font-size:1.25rem;font-weight:600;margin:0 0 1rem}
h2{font-size:1.1rem;font-weight:600;margin:2.5rem 0 .75rem}
h3{font-size:1rem;font-weight:600;margin:0}
p{margin:.35rem 0}
a{color:var(--plan)}
:focus-visible{outline:2px solid var(--plan);outline-offset:2px}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.25rem;margin:0 0 .75rem}
.now{display:flex;gap:.9rem;align-items:center;border-left:.35rem solid var(--soft);font-size:1.25rem;font-weight:600}
.now p{margin:0}
.now svg{width:1.6rem;height:1.6rem;flex:none}
.now.ok{border-left-color:var(--okbar)}.now.minor{border-left-color:var(--warnbar)}.now.major,.now.critical{border-left-color:var(--badbar)}.now.maintenance{border-left-color:var(--planbar)}
.ok,.up{color:var(--ok)}.minor,.degraded{color:var(--warn)}.major,.critical,.down{color:var(--bad)}.maintenance{color:var(--plan)}.unknown{color:var(--soft)}
.soft{color:var(--soft);font-size:.9rem;font-weight:400}
.dc{display:grid;grid-template-columns:1fr auto;gap:.3rem 1rem;align-items:baseline}
.dc svg{grid-column:1/-1;width:100%;display:block}
.bars{height:2rem}
.bars .up{fill:var(--okbar)}.bars .degraded{fill:var(--warnbar)}.bars .down{fill:var(--badbar)}.bars .maintenance{fill:var(--planbar)}.bars .unknown{fill:var(--none)}
.curve{height:2.2rem}
.curve polyline{fill:none;stroke:var(--soft);stroke-width:1.5;vector-effect:non-scaling-stroke}
.ends{grid-column:1/-1;display:flex;justify-content:space-between;gap:1rem}
.state{font-weight:600;white-space:nowrap}
ol,ul{list-style:none;margin:0;padding:0}
.news li{border-left:2px solid var(--line);padding:.1rem 0 .4rem .9rem;margin-top:.5rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:.9rem}
footer{padding-top:2rem;padding-bottom:3rem;color:var(--soft);font-size:.9rem}
#old{border-left:.35rem solid var(--warnbar)}
[hidden]{display:none}
@media print{.card{break-inside:avoid}}
`.trim()

/**
 * Only comfort: once a minute it looks whether there is news and shows it; and it says when the page has not been made
 * for five minutes, which nobody else would.
 */
export const script = `
(()=>{const made=document.documentElement.dataset,old=document.getElementById('old')
const look=async()=>{try{const r=await fetch('status.json',{cache:'no-store'});if(!r.ok)throw 0
const s=await r.json();if(s.revision!==made.revision)return location.reload()
old.hidden=Date.now()-Date.parse(s.updated_at)<300000}catch{old.hidden=Date.now()-Number(made.at)<300000}}
setInterval(look,60000)})()
`.trim()

// SPDX-License-Identifier: MIT
//
// page.mjs - the page, as a person uses it: search, look at a package, start something slow,
// cancel it and see why it ended. Headless Chromium by playwright-core; without one of them it is
// skipped, and says so. Prints TAP.
//
//     node page.mjs STORE [SCREENSHOTS]

import {spawn, spawnSync} from "node:child_process";
import {existsSync, mkdtempSync, readFileSync, rmSync, openSync} from "node:fs";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const PATIENCE_MS = 60000;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               "--ignore-certificate-errors"];
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const [program, screenshots] = process.argv.slice(2);
const overTls = process.env.OVER_TLS || "HTTP/2"; // HTTP/1.1 where HTTP/2 was not built in
const here = dirname(fileURLToPath(import.meta.url));

function skip(why) {
	console.log("1..0 # SKIP " + why);
	process.exit(0);
}

const browserPath = process.env.CHROMIUM || BROWSERS.find(existsSync);
if (!browserPath) skip("no Chromium");
const {chromium} = await import("playwright-core").catch(
	() => skip("no playwright-core (scripts/install-browser-driver)"));

/* ---- The store ---- */

const folder = mkdtempSync(join(tmpdir(), "belay-page-"));
const log = join(folder, "log");

async function until(condition, what) {
	const giveUp = Date.now() + PATIENCE_MS;
	for (;;) {
		const result = await condition();
		if (result) return result;
		if (Date.now() > giveUp) throw new Error("waited in vain: " + what);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/* A certificate that has signed itself, and its key: the options that name them. */
function makeCertificate() {
	const chain = join(folder, "certificate.pem"), key = join(folder, "key.pem");
	const made = spawnSync("openssl", ["req", "-x509", "-newkey", "ec",
		"-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
		"-keyout", key, "-out", chain], {encoding: "utf8"});
	if (made.status !== 0) throw new Error("openssl: " + (made.error || made.stderr));
	return ["--certificate", chain, "--key", key, "--https", "127.0.0.1:0"];
}

async function startStore() {
	const data = join(folder, "status"), out = openSync(log, "w");
	spawnSync("python3", [join(here, "store.py"), data, "20000"], {stdio: "inherit"});
	const store = spawn(program, ["--listen", "127.0.0.1:0", "--data", data,
		"--db", join(folder, "db"), ...makeCertificate()],
	                    {stdio: ["ignore", out, out]});
	const found = await until(() => {
		if (store.exitCode !== null)
			throw new Error("the store ended: " + readFileSync(log, "utf8"));
		return readFileSync(log, "utf8").match(
			/^listening on (http:\S+)\nlistening on (https:\S+)$/m);
	}, "the store's addresses");
	return {store, url: found[1], secureUrl: found[2]};
}

/* ---- Tests ---- */

let page;
const $ = (id) => page.getByTestId(id);

function check(held, what) {
	if (!held) throw new Error("check failed: " + what);
}

/* Waits until the text of an element matches. */
async function says(locator, pattern) {
	let text = "";
	await until(async () => pattern.test(text = await locator.innerText()),
		`"${text}" to match ${pattern}`)
		.catch((error) => { throw new Error(`${error.message}; it says "${text}"`); });
	return text;
}

async function theStreamOfEventsIsLive() {
	await says($("live-status"), /^live$/);
}

async function typingSearches() {
	await $("search-input").fill("small parser maps");
	await says($("search-status"), /^\d+ packages\.$|^The best/);
	check(await $("result").count() > 0, "results");
	await $("search-input").fill("nowheretobefound");
	await says($("search-status"), /^No package/);
	check(await $("result").count() === 0, "no results");
}

async function aPackageCanBeOpenedByKeyboard() {
	await page.keyboard.press("Escape");
	await page.locator("body").click({position: {x: 1, y: 1}});
	await page.keyboard.press("/");
	await page.keyboard.press("Control+A");
	await page.keyboard.type("pkg-117");
	await page.keyboard.press("Enter");
	await says($("result").first(), /pkg-117/);
	await page.keyboard.press("Tab");
	await page.keyboard.press("Tab");
	await page.keyboard.press("Enter");
	await says($("package-name"), /^pkg-117 1\.117$/);
}

async function aPackageSaysWhatItNeeds() {
	await $("ask-closure").click();
	await says($("package-status"), /^\d+ packages, in/);
	check(await $("related").locator("li").count() > 3, "a closure");
	await $("ask-similar").click();
	await says($("package-status"), /^The 10 most alike/);
	await $("ask-first").click();
	await says($("package-status"), /was the first/);
}

async function somethingSlowAppearsAndIsCancelled() {
	await $("twins-start").click();
	const row = $("running-item").filter({hasText: "/twins"});
	await row.waitFor();
	await says(row, /background/);
	await picture("running");
	check(await $("twins-start").isDisabled(), "only one at a time");
	await $("twins-cancel").click();
	await says($("twins-status"), /^Cancelled after/);
	await row.waitFor({state: "detached"});
	await says($("ended-item").first(),
		/\/twins[^]*context canceled[^]*cause: client disconnected/);
	check(await $("running-item").count() === 0, "nothing runs any more");
}

async function aDeadlineIsShownWithItsCause() {
	await $("twins-timeout").fill("200ms");
	await $("twins-start").click();
	await says($("twins-status"), /deadline exceeded/);
	await says($("ended-item").first(), /timeout=200ms[^]*cause: context deadline exceeded/);
}

async function nonsenseIsToldInWords() {
	await $("twins-timeout").fill("soon");
	await $("twins-start").click();
	await says($("twins-status"), /timeout/);
	await $("twins-timeout").fill("");
}

async function aSmallSectionIsComparedToTheEnd() {
	await $("twins-section").fill("tiny");
	await $("twins-start").click();
	await says($("twins-status"), /^Done in/);
	check(await $("twins-results").locator("li").count() === 10, "ten pairs");
	await picture("done");
}

async function othersRequestsAreSeenToo() {
	await fetch(url + "/packages/pkg-3");
	await says($("ended-item").first(), /\/packages\/pkg-3[^]*200/);
}

async function overPlainHttpItSpeaksHttp1() {
	await $("search-input").fill("modular");
	await says($("ended-item").first(), /q=modular/);
	for (const protocol of await $("ended-item").getByTestId("protocol").allInnerTexts())
		check(protocol === "HTTP/1.1", protocol + " over plain HTTP");
}

async function itFitsASmallScreenAndTheDark() {
	await page.emulateMedia({colorScheme: "dark"});
	await picture("dark");
	await page.setViewportSize({width: 360, height: 740});
	await picture("small");
	const overflow = await page.evaluate(
		() => document.documentElement.scrollWidth - innerWidth);
	check(overflow <= 0, `it is ${overflow} pixels too wide`);
	await page.setViewportSize({width: 1280, height: 900});
}

async function everyControlHasAName() {
	const nameless = await page.evaluate(() => [...document.querySelectorAll("input, button")]
		.filter((e) => !(e.labels?.length || e.textContent.trim() ||
			e.getAttribute("aria-label")))
		.map((e) => e.id));
	check(nameless.length === 0, "names for " + nameless);
}

async function overHttpsItSpeaksHttp2() {
	await page.close();
	await open(browser, secureUrl);
	await says($("live-status"), /^live$/);
	await $("search-input").fill("portable");
	await says($("ended-item").first(), /q=portable/);
	await says($("ended-item").first().getByTestId("protocol"), new RegExp(`^${overTls}$`));
}

async function overHttpsACancelEndsTheRequestAlone() {
	await $("twins-start").click();
	const row = $("running-item").filter({hasText: "/twins"});
	await says(row.getByTestId("protocol"), new RegExp(`^${overTls}$`));
	await picture("https-running");
	await $("twins-cancel").click();
	await says($("ended-item").first(), overTls === "HTTP/2"
		? /\/twins[^]*cause: client reset the stream/ : /\/twins[^]*cause: client disc/);
	await says($("live-status"), /^live$/);
}

async function eachRequestShowsItsOwnProtocol() {
	await fetch(url + "/packages/pkg-4");
	await says($("ended-item").first(), /\/packages\/pkg-4[^]*HTTP\/1\.1/);
	await picture("https");
}

async function thePageTalksToItsServerAlone() {
	check(elsewhere.length === 0, "requests to " + elsewhere);
	check(complaints.length === 0, "complaints: " + complaints);
}

/* ---- Running them ---- */

const elsewhere = [], complaints = [];

async function picture(name) {
	if (screenshots)
		await page.screenshot({path: join(screenshots, name + ".png"), fullPage: true});
}

async function open(browser, url) {
	page = await browser.newPage({viewport: {width: 1280, height: 900}, colorScheme: "light"});
	page.setDefaultTimeout(PATIENCE_MS);
	page.on("request", (r) => {
		if (!/^(data:|blob:)/.test(r.url()) && !r.url().startsWith(url))
			elsewhere.push(r.url());
	});
	page.on("pageerror", (error) => complaints.push(error.message));
	page.on("console", (m) => {
		if (m.type() === "error" && !/status of (400|404|503)/.test(m.text()))
			complaints.push(m.text());
	});
	await page.goto(url);
}

const tests = [
	theStreamOfEventsIsLive, typingSearches, aPackageCanBeOpenedByKeyboard,
	aPackageSaysWhatItNeeds, somethingSlowAppearsAndIsCancelled,
	aDeadlineIsShownWithItsCause, nonsenseIsToldInWords, aSmallSectionIsComparedToTheEnd,
	othersRequestsAreSeenToo, overPlainHttpItSpeaksHttp1, itFitsASmallScreenAndTheDark,
	everyControlHasAName, overHttpsItSpeaksHttp2, overHttpsACancelEndsTheRequestAlone,
	eachRequestShowsItsOwnProtocol, thePageTalksToItsServerAlone
];

async function runAll() {
	let failed = 0;
	console.log("1.." + tests.length);
	for (const [i, test] of tests.entries()) {
		const name = test.name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase());
		const error = await test().then(() => null, (e) => e);
		failed += !!error;
		console.log(`${error ? "not ok" : "ok"} ${i + 1} - ${name}`);
		if (error) console.log(String(error.stack).replace(/^/gm, "# "));
	}
	return failed;
}

const {store, url, secureUrl} = await startStore();
const browser = await chromium.launch({executablePath: browserPath, args: FLAGS});
let failed = 1;
try {
	await open(browser, url);
	failed = await runAll();
} finally {
	await browser.close();
	store.kill("SIGINT");
	await until(() => store.exitCode !== null || store.signalCode !== null, "the store's end");
	rmSync(folder, {recursive: true});
}
process.exit(failed ? 1 : 0);

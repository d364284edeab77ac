// What is wrong with the page as it is shown now, as a list of sentences. The argument: the smallest target in pixels.
(smallest) => {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 1;
  const described = (element) => `<${element.tagName.toLowerCase()}> «${element.textContent.trim().slice(0, 40)}»`;
  const must = (right, problem) => right || problems.push(problem);

  must(all("h1").length === 1, `there are ${all("h1").length} h1`);
  must(all("main").length === 1, `there are ${all("main").length} main`);
  must(document.title.trim() && document.documentElement.lang, "the title or the language is missing");
  const ids = all("[id]").map((element) => element.id);
  must(new Set(ids).size === ids.length, "an id is given twice");
  const levels = all("h1, h2, h3, h4").map((element) => Number(element.tagName[1]));
  levels.forEach((level, i) => must(level <= (levels[i - 1] ?? 0) + 1, `a heading of level ${level} skips a level`));

  for (const field of all("input:not([type=hidden]), select, textarea")) {
    must(field.labels.length, `the field ${field.name} has no label`);
    for (const id of (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean)) {
      must(document.getElementById(id), `the field ${field.name} is described by ${id}, which is nowhere`);
    }
  }
  for (const image of all("img")) must(image.hasAttribute("alt"), `the image ${image.src} has no alt`);
  for (const control of all("a, button")) must(control.textContent.trim(), `${control.outerHTML} has no name`);
  for (const target of all("button, .button, input:not([type=hidden], [type=radio]), label.choice").filter(shown)) {
    const height = target.getBoundingClientRect().height;
    must(height >= smallest, `${described(target)} is ${height} px high`);
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  must(wide <= 0, `the page scrolls ${wide} px sideways`);

  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of all("body *").filter(shown)) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element);
    const ink = channels(style.color);
    if (ink[3] === 0) continue; // a page's text, unseen on its picture
    const [lighter, darker] = [luminance(ink), luminance(background(element))].sort((a, b) => b - a);
    const contrast = (lighter + 0.05) / (darker + 0.05);
    const wanted = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    must(contrast >= wanted, `${described(element)} has a contrast of ${contrast.toFixed(1)}`);
  }
  return problems;
};

// What is wrong with the page that is open, as sentences. Run with every <details> opened.
() => {
  const found = [];
  const name = (node) => JSON.stringify(node.textContent.trim().slice(0, 40));

  // Every piece of text with the boxes that its lines take.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pieces = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.textContent.trim() || node.parentElement.closest("title, desc, style")) continue;
    if (!node.parentElement.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // What a table that scrolls by itself does not show just now is no text on the page.
    const frame = node.parentElement.closest(".scroll")?.getBoundingClientRect();
    for (const { left, top, bottom, right: end, height } of range.getClientRects()) {
      const right = Math.min(end, frame?.right ?? end);
      if (right > left && height > 0) pieces.push({ node, box: { left, right, top, bottom, height } });
    }
  }

  pieces.sort((one, other) => one.box.top - other.box.top);
  pieces.forEach((one, place) => {
    for (const other of pieces.slice(place + 1)) {
      if (other.box.top >= one.box.bottom) break;
      if (other.node === one.node) continue;
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = one.box.bottom - other.box.top;
      // Boxes are as high as the font's line, letters are not.
      if (across > 1 && Math.min(down, other.box.height) > 0.3 * Math.min(one.box.height, other.box.height))
        found.push(`${name(one.node)} lies on ${name(other.node)}`);
    }
  });

  for (const { node, box } of pieces) {
    const picture = node.parentElement.closest("svg")?.getBoundingClientRect();
    if (picture && (box.left < picture.left - 1 || box.right > picture.right + 1 || box.top < picture.top - 1 || box.bottom > picture.bottom + 1))
      found.push(`${name(node)} is cut off by its chart`);
  }

  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) found.push(`the page is ${width} pixels wide`);

  const parsed = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const light = (text) => {
    const [red, green, blue] = parsed(text).map((one) => one / 255).map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parsed(colour)[3] !== 0) return colour;
    }
    return paper;
  };
  for (const { node } of pieces) {
    const element = node.parentElement, style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    const ratio = contrast(colour, behind(element));
    if (ratio < 4.5) found.push(`${name(node)} has a contrast of ${ratio.toFixed(2)}`);
  }

  // Whatever is drawn in the colour of a candidate or as a mark; grid, grey regions and paper are to stand back.
  const probe = document.body.appendChild(document.createElement("i"));
  const quiet = ["line", "shade", "paper"].map((one) => {
    probe.style.color = `var(--${one})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  const drawn = new Set();
  for (const element of document.querySelectorAll("svg path, svg use, svg rect")) {
    if (element.closest("defs, clipPath")) continue;
    const style = getComputedStyle(element);
    if (Number(style.opacity) < 1) found.push(`something is drawn with an opacity of ${style.opacity}`);
    for (const colour of [style.fill, style.stroke]) if (colour.startsWith("rgb") && !quiet.includes(colour)) drawn.add(colour);
  }
  for (const colour of drawn) {
    const ratio = contrast(colour, paper);
    if (ratio < 3) found.push(`${colour} in a chart has a contrast of ${ratio.toFixed(2)}`);
  }
  if (drawn.size < 2) found.push("no chart is drawn");
  return [...new Set(found)];
}

// Elements are made here, and text only ever becomes text: nothing on this page is parsed as HTML.

/** Makes an element. `properties` are attributes, except `class`, `text` and `on`, which maps events to handlers. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Changes the text of an element, if it is another one. */
export function write(element, text) {
  const wanted = String(text);
  const [first] = element.childNodes;
  // Changing the text node costs the browser less than replacing it.
  if (first instanceof Text && element.childNodes.length === 1) {
    if (first.data !== wanted) first.data = wanted;
  } else if (element.textContent !== wanted) {
    element.textContent = wanted;
  }
}

/** Sets a property or attribute-like property, if it is another one. */
export function assign(target, name, value) {
  if (target[name] !== value) target[name] = value;
}

/** Keeps one child of `parent` for each key, in order: makes new ones, and removes those without a key. */
export function keep(parent, children, keys, create) {
  for (const [key, child] of children) {
    if (!keys.includes(key)) {
      child.element.remove();
      children.delete(key);
    }
  }
  keys.forEach((key, index) => {
    let child = children.get(key);
    if (!child) {
      child = create(key);
      children.set(key, child);
    }
    if (parent.children[index] !== child.element) parent.insertBefore(child.element, parent.children[index] ?? null);
  });
}

const numbers = new Intl.NumberFormat("en");

/** A number with separators. */
export function count(number) {
  return numbers.format(number);
}

/** `1 message`, `2 messages`. */
export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** The short name of a replica: `C1` for `consumer-1`. */
export function short(replica) {
  return replica.replace("consumer-", "C");
}

/** The class with the colour of a replica. There are eight; the short name tells more than eight replicas apart. */
export function colour(replica) {
  return `c${(Number.parseInt(replica.replace(/\D/g, ""), 10) || 0) % 8}`;
}

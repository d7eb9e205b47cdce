// The default plugin's mapping, in JavaScript.
export const mapping = {
  toItem(user) {
    const email = user.userAttributes.find(({ name }) => name === "email");
    if (!email) throw "the user has no email";
    const s = (name, val) => ({ name, value: { tag: "s", val } });
    return { tag: "put", val: [s("id", user.userName), s("email", email.value)] };
  },
};

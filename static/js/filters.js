// The filters of the usage page: only those that say something go into the address.
document.getElementById("filters").addEventListener("htmx:configRequest", ({ detail: { parameters } }) => {
  for (const name of Object.keys(parameters)) if (!parameters[name]) delete parameters[name];
  if (parameters.period !== "days") {
    delete parameters.from;
    delete parameters.to;
  }
});

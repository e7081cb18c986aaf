// Reads KQL as Microsoft's own language service does: node kusto.js PACKAGE SCHEMA FILE... gives, as JSON, what is wrong
// with each file, and the columns of its result. SCHEMA: the columns of AppMetrics, "(Name:string, ...)"; empty where
// the workspace does not have that table yet.
const fs = require("fs");
const path = require("path");

const [folder, schema, ...files] = process.argv.slice(2);
require(path.join(folder, "bridge.min.js"));
require(path.join(folder, "Kusto.Language.Bridge.min.js"));

const { KustoCode, GlobalState, Symbols } = Kusto.Language;
const tables = schema ? [Symbols.TableSymbol.From(schema).WithName("AppMetrics")] : [];
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", tables));
const all = (list) => Array.from({ length: list.Count }, (_, i) => list.getItem(i));

const answers = files.map((file) => {
  const code = KustoCode.ParseAndAnalyze(fs.readFileSync(file, "utf8"), globals);
  const columns = code.ResultType ? all(code.ResultType.Columns) : [];
  return [
    path.basename(file, ".kql"),
    {
      faults: all(code.GetDiagnostics()).map((each) => `${each.Severity}: ${each.Message}`),
      columns: Object.fromEntries(columns.map((each) => [each.Name, each.Type.Name])),
    },
  ];
});
console.log(JSON.stringify(Object.fromEntries(answers)));

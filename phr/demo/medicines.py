"""The medicines the demo world takes, by ATC code (WHO Collaborating Centre for Drug Statistics Methodology)."""

from phr.demo.vocabulary import Product

PARACETAMOL = Product("N02BE01", "paracetamol", "Paracétamol 1 g, comprimé")
METFORMIN = Product("A10BA02", "metformin", "Metformine 1000 mg, comprimé")
EMPAGLIFLOZIN = Product("A10BK03", "empagliflozin", "Empagliflozine 10 mg, comprimé")
RAMIPRIL = Product("C09AA05", "ramipril", "Ramipril 5 mg, comprimé")
ATORVASTATIN = Product("C10AA05", "atorvastatin", "Atorvastatine 20 mg, comprimé")
APIXABAN = Product("B01AF02", "apixaban", "Apixaban 5 mg, comprimé")
BISOPROLOL = Product("C07AB07", "bisoprolol", "Bisoprolol 2,5 mg, comprimé")
FUROSEMIDE = Product("C03CA01", "furosemide", "Furosémide 20 mg, comprimé")
CHOLECALCIFEROL = Product("A11CC05", "colecalciferol", "Cholécalciférol 50 000 UI, ampoule")
IRON = Product("B03AA07", "ferrous sulfate", "Sulfate ferreux 80 mg, comprimé")
FOLIC_ACID = Product("B03BB01", "folic acid", "Acide folique 0,4 mg, comprimé")
SALBUTAMOL = Product("R03AC02", "salbutamol", "Salbutamol 100 microgrammes, suspension pour inhalation")
FLUTICASONE = Product("R03BA05", "fluticasone", "Fluticasone 50 microgrammes, suspension pour inhalation")
CETIRIZINE = Product("R06AE07", "cetirizine", "Cétirizine 10 mg, comprimé")
AMOXICILLIN = Product("J01CA04", "amoxicillin", "Amoxicilline 500 mg/5 mL, suspension buvable")
